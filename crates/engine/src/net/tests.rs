//! The table of addresses, and what networks leave behind. Traffic is proved end to end.

use super::addresses::Addresses;
use super::*;
use crate::system::tests::{engine, spec, write_record};
use std::collections::BTreeSet;
use volt_model::net::{Attachment, Endpoint, Published, mac_of, port_name};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn network(text: &str, subnet: &str) -> Network {
    Network {
        version: Network::VERSION,
        name: name(text),
        subnet: subnet.parse().unwrap(),
        ipv6: None,
        internal: false,
        isolate: false,
        dns: true,
        dhcp: false,
        mtu: None,
        labels: std::collections::BTreeMap::new(),
        created: jiff::Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn addresses_stay_with_their_names_and_are_reused_last() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("volt.db");
    assert!(Addresses::read(&path).unwrap().is_none());
    let (net, other) = (network("back", "10.9.0.0/29"), network("front", "10.8.0.0/24"));
    let mut table = Addresses::open(&path, &Vec::new).unwrap();
    let claim = |table: &mut Addresses, net: &Network, who: &str, wanted| {
        table.claim(net, &name(who), wanted)
    };
    for (who, number) in [("a", 2), ("b", 3), ("a", 2)] {
        assert_eq!(claim(&mut table, &net, who, None).unwrap(), number, "{who}");
    }
    assert_eq!(claim(&mut table, &other, "b", None).unwrap(), 2);
    assert_eq!(claim(&mut table, &net, "c", Some(5)).unwrap(), 5);
    let error = claim(&mut table, &net, "d", Some(5)).unwrap_err();
    assert!(
        error.kind == ErrorKind::Conflict && error.message.contains("10.9.0.5 is c's"),
        "{error:?}"
    );
    // One that is gone leaves its number to others only when all else is taken; and has it again where it comes back.
    table.give_back(&name("a"), None).unwrap();
    assert_eq!(claim(&mut table, &net, "d", None).unwrap(), 4);
    assert_eq!(claim(&mut table, &net, "a", None).unwrap(), 2);
    table.give_back(&name("a"), Some(&net.name)).unwrap();
    assert_eq!(claim(&mut table, &net, "e", None).unwrap(), 6);
    assert_eq!(claim(&mut table, &net, "f", None).unwrap(), 2);
    let error = claim(&mut table, &net, "a", None).unwrap_err();
    assert!(error.kind == ErrorKind::Resource && error.message.contains("All 5 "), "{error:?}");
    // A new name takes over what the old one had.
    table.pass(&name("b"), &name("bee")).unwrap();
    assert_eq!(table.number(&net.name, &name("bee")).unwrap(), Some(3));
    assert_eq!(table.number(&other.name, &name("bee")).unwrap(), Some(2));
    assert_eq!(table.number(&net.name, &name("b")).unwrap(), None);
    table.forget(&net.name).unwrap();
    let held = Addresses::read(&path).unwrap().unwrap().held().unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
}

#[test]
fn an_address_that_somebody_is_to_have_is_given_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("volt.db");
    let net = network("back", "10.9.0.0/29");
    let mut table = Addresses::open(&path, &Vec::new).unwrap();
    let claim = |table: &mut Addresses, who: &str, wanted| table.claim(&net, &name(who), wanted);
    assert_eq!(claim(&mut table, "gone", None).unwrap(), 2);
    table.give_back(&name("gone"), None).unwrap();
    // Neither the next number nor that of one who comes back, and as often as it is said.
    for number in [2, 3, 3] {
        table.keep(&net.name, number).unwrap();
    }
    assert_eq!(claim(&mut table, "any", None).unwrap(), 4);
    table.keep(&net.name, 4).unwrap();
    assert_eq!(table.number(&net.name, &name("any")).unwrap(), Some(4), "who has it keeps it");
    assert_eq!(claim(&mut table, "gone", None).unwrap(), 5);
    assert_eq!(claim(&mut table, "certain", Some(3)).unwrap(), 3);
    assert_eq!(table.held().unwrap().len(), 3);
    // It is no address less.
    assert_eq!(claim(&mut table, "more", None).unwrap(), 6);
    assert_eq!(claim(&mut table, "last", None).unwrap(), 2);
}

#[test]
fn no_address_is_given_out_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("volt.db");
    let net = network("back", "10.9.0.0/24");
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (path, net) = (&path, &net);
            scope.spawn(move || {
                for n in 0..20 {
                    let who = name(&format!("w{worker}-{n}"));
                    // Each opens the table anew, as each process does.
                    Addresses::open(path, &Vec::new).unwrap().claim(net, &who, None).unwrap();
                    if n % 5 == 4 {
                        Addresses::open(path, &Vec::new).unwrap().give_back(&who, None).unwrap();
                    }
                }
            });
        }
    });
    let held = Addresses::open(&path, &Vec::new).unwrap().held().unwrap();
    let numbers: BTreeSet<u32> = held.iter().map(|one| one.number).collect();
    assert_eq!((held.len(), numbers.len()), (96, 96));
}

#[test]
fn two_bridges_are_never_called_the_same() {
    use super::create::refuse_same_bridge;
    use volt_model::net::bridge_name;
    let mut seen = std::collections::HashMap::new();
    let two = (0..1_000_000).map(|n| name(&format!("net-number-{n}")));
    let two =
        two.into_iter().find_map(|one| Some((seen.insert(bridge_name(&one), one.clone())?, one)));
    let (one, two) = two.unwrap();
    let error = refuse_same_bridge(&two, &[name("back"), one.clone()]).unwrap_err();
    assert!(
        error.kind == ErrorKind::Conflict && error.message.ends_with(one.as_str()),
        "{error:?}"
    );
    refuse_same_bridge(&two, &[name("back")]).unwrap();
}

#[test]
fn the_first_network_that_leads_out_does_so_for_each_kind_of_address() {
    let (_dir, engine) = engine();
    std::fs::create_dir_all(engine.paths().networks()).unwrap();
    let mut endpoints = Vec::new();
    for (net, subnet, ipv6, internal) in [
        ("shut", "10.1.0.0/24", Some("fd01::/64"), true),
        ("old", "10.2.0.0/24", None, false),
        ("new", "10.3.0.0/24", Some("fd03::/64"), false),
        ("more", "10.4.0.0/24", Some("fd04::/64"), false),
    ] {
        let ipv6 = ipv6.map(|subnet| subnet.parse().unwrap());
        let net = Network { ipv6, internal, ..network(net, subnet) };
        files::write_json(&engine.network_path(&net.name), &net, 0o644).unwrap();
        endpoints.push(Endpoint {
            network: net.name,
            interface: "eth0".into(),
            port: "vo-web".into(),
            mac: mac_of(&name("web"), &name("volt0")),
            ip: "10.9.0.2".parse().unwrap(),
            ipv6: None,
            aliases: vec![],
            rate: None,
        });
    }
    let attached = Attached { endpoints, ..Attached::new(name("web"), [].into()) };
    for (place, ways) in [(0, vec![]), (1, vec!["10.2.0.1"]), (2, vec!["fd03::1"]), (3, vec![])] {
        let out: Vec<String> =
            engine.ways_out(&attached, place).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(out, ways, "{place}");
    }
}

#[test]
fn a_host_without_ipv6_has_networks_without_it() {
    let both =
        Network { ipv6: Some("fd09::/64".parse().unwrap()), ..network("back", "10.9.0.0/24") };
    assert_eq!(as_the_host(both.clone(), true), both);
    assert_eq!(as_the_host(both, false), network("back", "10.9.0.0/24"));
}

#[test]
fn where_one_record_can_not_be_read_there_are_none() {
    let (_dir, engine) = engine();
    std::fs::create_dir_all(engine.paths().networks()).unwrap();
    let net = network("back", "10.9.0.0/24");
    files::write_json(&engine.network_path(&net.name), &net, 0o644).unwrap();
    assert_eq!(engine.networks_or_none().unwrap().len(), 1);
    std::fs::write(engine.network_path(&name("vault")), "nonsense").unwrap();
    let error = engine.networks_or_none().unwrap_err();
    assert!(error.kind == ErrorKind::InvalidConfig && error.message.contains("vault"), "{error:?}");
}

#[test]
fn a_network_in_use_stays() {
    let (_dir, engine) = engine();
    let net = network("back", "10.9.0.0/24");
    std::fs::create_dir_all(engine.paths().networks()).unwrap();
    files::write_json(&engine.network_path(&net.name), &net, 0o644).unwrap();
    let mut web = spec("web");
    web.networks = vec![Attachment::to(net.name.clone())];
    write_record(&engine, &web);
    if crate::system::can::program("nft").is_none() {
        println!("SKIPPED: needs nft");
        return;
    }
    let error = engine.net_delete(&net.name).unwrap_err();
    assert!(
        error.kind == ErrorKind::Conflict && error.message.ends_with("used by web"),
        "{error:?}"
    );
    assert!(engine.network(&net.name).is_ok());
}

#[test]
fn ports_are_refused_by_the_name_of_who_has_them() {
    let (_dir, engine) = engine();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().port();
    let later = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let held = later.local_addr().unwrap().port();
    let attached = |who: &str, host: u16, address: Option<&str>| Attached {
        dns: Vec::new(),
        workload: name(who),
        labels: std::collections::BTreeMap::new(),
        endpoints: vec![Endpoint {
            network: name("back"),
            interface: "eth0".into(),
            port: port_name(&name(who), &name("back")),
            mac: mac_of(&name(who), &name("back")),
            ip: "10.9.0.2".parse().unwrap(),
            ipv6: None,
            aliases: vec![],
            rate: None,
        }],
        published: vec![Published {
            address: address.map(|ip| ip.parse().unwrap()),
            host,
            container: 80,
            protocol: volt_model::net::Protocol::Tcp,
            ip: "10.9.0.2".parse().unwrap(),
            ipv6: None,
            expose: false,
        }],
    };
    std::fs::create_dir_all(engine.paths().attached()).unwrap();
    let web = attached("web", 1, None);
    // One of them has its port already, whoever listens there now.
    for all in [web, attached("old", held, Some("127.0.0.1"))] {
        let bytes = serde_json::to_vec(&all).unwrap();
        std::fs::write(engine.attached_path(&all.workload), bytes).unwrap();
    }
    let own = format!("(process {})", std::process::id());
    for (who, host, address, said) in [
        ("db", 1, None, Some("the container web")),
        ("db", 1, Some("127.0.0.1"), Some("the container web")),
        ("web", 1, None, None),
        ("db", busy, None, Some(own.as_str())),
        ("db", busy, Some("127.0.0.1"), Some(own.as_str())),
        ("db", busy, Some("127.0.0.2"), None),
        ("old", held, Some("127.0.0.1"), None),
    ] {
        let refused = engine.refuse_taken_ports(&attached(who, host, address));
        match (said, refused) {
            (None, refused) => refused.unwrap(),
            (Some(said), refused) => {
                let error = refused.unwrap_err();
                assert!(
                    error.kind == ErrorKind::Conflict && error.message.ends_with(said),
                    "{error:?}"
                );
            }
        }
    }
}
