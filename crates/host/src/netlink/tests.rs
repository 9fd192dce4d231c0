//! A bridge and two namespaces on it, in a network of the test's own.

use super::*;
use crate::namespaces::{self, NetNs};
use ipnet::IpNet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use volt_model::net::Mac;

/// Works in a network namespace of its own, where nothing is but the loopback, and makes others for members.
fn in_an_empty_network(members: usize, work: impl FnOnce(Vec<NetNs>) + Send) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<_> = (0..=members).map(|n| dir.path().join(n.to_string())).collect();
    let host = NetNs::create(&paths[0]).unwrap();
    let others: Vec<NetNs> = paths[1..].iter().map(|path| NetNs::create(path).unwrap()).collect();
    host.run(|| {
        work(others);
        Ok(())
    })
    .unwrap();
    drop(host);
    for path in paths {
        assert!(namespaces::remove(&path).unwrap());
    }
}

fn plug(netlink: &mut Netlink, bridge: &Link, number: u8, isolated: bool, to: &NetNs) {
    let addresses: [IpNet; 2] = [
        format!("10.7.0.{number}/24").parse().unwrap(),
        format!("fd07::{number}/64").parse().unwrap(),
    ];
    let gateways: [IpAddr; 2] = ["10.7.0.1".parse().unwrap(), "fd07::1".parse().unwrap()];
    let port = format!("vo-{number}");
    let inside = Inside {
        interface: "eth0",
        mac: Mac([2, 0, 0, 0, 0, number]),
        addresses: &addresses,
        gateways: &gateways,
    };
    let veth = Veth {
        port: &port,
        alias: "test",
        bridge: bridge.index,
        isolated,
        hairpin: isolated,
        mtu: Some(1400),
        rate: None,
        inside,
    };
    netlink.plug_in(&veth, to).unwrap();
}

fn make_bridge(netlink: &mut Netlink) -> Link {
    let addresses: [IpNet; 2] = ["10.7.0.1/24".parse().unwrap(), "fd07::1/64".parse().unwrap()];
    let bridge = Bridge {
        name: "volt-t",
        mac: Mac([2, 0, 0, 0, 0, 1]),
        mtu: None,
        alias: "test",
        addresses: &addresses,
    };
    netlink.ensure_bridge(&bridge).unwrap();
    netlink.ensure_bridge(&bridge).unwrap();
    netlink.link("volt-t").unwrap().unwrap()
}

/// Whether a member is reached from another, or from the host, at this address.
fn reaches(from: Option<&NetNs>, member: &NetNs, address: &str) -> bool {
    let listener = member.run(|| TcpListener::bind((address, 7))).unwrap();
    let answer = std::thread::spawn(move || {
        drop(listener.accept().map(|(mut peer, _)| peer.write_all(b"hello")));
    });
    let to = (address.parse::<IpAddr>().unwrap(), 7).into();
    let connect = || {
        let mut peer = TcpStream::connect_timeout(&to, std::time::Duration::from_millis(700))?;
        let mut text = String::new();
        peer.read_to_string(&mut text).map(|_| text)
    };
    let got = match from {
        Some(from) => from.run(connect).ok(),
        None => connect().ok(),
    };
    let reached = got.as_deref() == Some("hello");
    if reached {
        answer.join().unwrap();
    }
    reached
}

#[test]
fn members_reach_each_other_and_the_host() {
    in_an_empty_network(2, |members| {
        let mut netlink = Netlink::open().unwrap();
        let bridge = make_bridge(&mut netlink);
        assert!(bridge.is_bridge && bridge.is_up && bridge.mac == Some(Mac([2, 0, 0, 0, 0, 1])));
        plug(&mut netlink, &bridge, 2, false, &members[0]);
        plug(&mut netlink, &bridge, 3, false, &members[1]);
        // Again is the same as once.
        plug(&mut netlink, &bridge, 3, false, &members[1]);
        assert!(netlink.link("vo-3").unwrap().unwrap().is_forwarding);
        for address in ["10.7.0.3", "fd07::3"] {
            assert!(reaches(Some(&members[0]), &members[1], address), "{address}");
            assert!(reaches(None, &members[1], address), "{address} from the host");
        }
        let port = netlink.link("vo-3").unwrap().unwrap();
        assert_eq!((port.bridge, port.mtu), (Some(bridge.index), 1400));
        assert!(port.counters.received_packets > 0 && port.counters.sent_bytes > 0);
        let inside = Netlink::open_in(&members[1]).unwrap().link("eth0").unwrap().unwrap();
        assert_eq!(inside.mac, Some(Mac([2, 0, 0, 0, 0, 3])));
        let routes = netlink.routes().unwrap();
        let to: Vec<String> = routes.iter().map(|route| route.to.to_string()).collect();
        assert!(
            to.contains(&"10.7.0.0/24".to_owned()) && to.contains(&"fd07::/64".to_owned()),
            "{to:?}"
        );
        assert!(routes.iter().all(|route| route.interface == Some(bridge.index)), "{routes:?}");

        assert!(netlink.delete("vo-3").unwrap() && !netlink.delete("vo-3").unwrap());
        assert!(Netlink::open_in(&members[1]).unwrap().link("eth0").unwrap().is_none());
        assert!(netlink.delete("volt-t").unwrap());
        assert_eq!(netlink.link("volt-t").unwrap(), None);
    });
}

#[test]
fn isolated_members_reach_the_host_alone() {
    in_an_empty_network(2, |members| {
        let mut netlink = Netlink::open().unwrap();
        let bridge = make_bridge(&mut netlink);
        plug(&mut netlink, &bridge, 2, true, &members[0]);
        plug(&mut netlink, &bridge, 3, true, &members[1]);
        assert!(reaches(None, &members[1], "10.7.0.3"));
        assert!(!reaches(Some(&members[0]), &members[1], "10.7.0.3"));
    });
}

/// How long it takes to send `bytes` from one network to another, whose address this is.
fn sending(bytes: usize, from: &NetNs, to: &NetNs, address: &str) -> std::time::Duration {
    let listener = to.run(|| TcpListener::bind((address, 7))).unwrap();
    let receiver = std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        std::io::copy(&mut peer, &mut std::io::sink()).unwrap()
    });
    let begun = std::time::Instant::now();
    let send = || TcpStream::connect((address, 7))?.write_all(&vec![0; bytes]);
    from.run(send).unwrap();
    assert_eq!(receiver.join().unwrap(), bytes as u64);
    begun.elapsed()
}

#[test]
fn what_goes_out_by_an_interface_is_limited() {
    in_an_empty_network(2, |members| {
        let mut netlink = Netlink::open().unwrap();
        let bridge = make_bridge(&mut netlink);
        plug(&mut netlink, &bridge, 2, false, &members[0]);
        plug(&mut netlink, &bridge, 3, false, &members[1]);
        let mut inside = Netlink::open_in(&members[0]).unwrap();
        let mut both = |rate: Option<&str>| {
            let rate = rate.map(|rate| rate.parse().unwrap());
            netlink.set_rate("vo-2", rate).unwrap();
            inside.set_rate("eth0", rate).unwrap();
        };
        // 300 kB, of which some may pass at once.
        for (rate, least, most) in
            [(Some("8mbit"), 200, 3000), (Some("16mbit"), 100, 1500), (None, 0, 80)]
        {
            both(rate);
            for (from, to, address) in [(0, 1, "10.7.0.3"), (1, 0, "10.7.0.2")] {
                let took = sending(300_000, &members[from], &members[to], address).as_millis();
                assert!((least..most).contains(&took), "{rate:?} from {from} to {to}: {took} ms");
            }
        }
        // There is nothing to lift any more.
        both(None);
        assert!(netlink.set_rate("vo-9", None).unwrap_err().is_not_there());
    });
}
