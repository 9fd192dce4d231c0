//! Elements as the kernel takes them, in a network namespace of the test's own.

use super::*;
use crate::namespaces::{self, NetNs};
use crate::netlink::Netlink;
use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use volt_model::net::policy::Orders;
use volt_model::net::ruleset::{self, Element, Family, Field};
use volt_model::net::{Mac, gate};

fn element(family: Family, set: &'static str, key: &[Field], value: &[Field]) -> Element {
    Element { family, set: set.into(), key: key.to_vec(), value: value.to_vec() }
}

fn listed() -> String {
    Command::new("nft").args(["list", "ruleset"]).output().unwrap().text()
}

/// The number of the way into the firewall's gate, in the namespace that this runs in.
fn gate() -> u32 {
    Netlink::open().unwrap().ensure_gate(gate::INTO, gate::OUT_OF).unwrap()
}

fn facts(gate: u32, orders: &Orders) -> ruleset::Facts<'_> {
    ruleset::Facts { networks: &[], attached: &[], orders, gate }
}

#[test]
fn flows_outlive_the_tables() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ns");
    let ns = NetNs::create(&path).unwrap();
    ns.run(|| {
        let gate = gate();
        let policies = r#"{"policies": {"version": 1, "policies": [{"name": "a", "action": "deny", "from": "a", "to": "b"}]}}"#;
        let orders: Orders = serde_json::from_str(policies).unwrap();
        apply(&ruleset::render(&facts(gate, &orders), &[])).unwrap();
        assert!(flows().is_empty());
        let of = |set: &'static str, one: &str, two: &str, carried: u8| {
            let (one, two) = (one.parse().unwrap(), two.parse().unwrap());
            let key = [Field::Ip(one), Field::Ip(two), Field::Protocol(carried), Field::Port(5000), Field::Port(53)];
            element(Family::Bridge, set, &key, &[])
        };
        let (udp, sctp) = (17, 132);
        let all = [of("flows4", "10.0.0.2", "10.0.0.3", udp), of("flows4", "10.0.0.2", "10.0.0.3", sctp), of("flows6", "fd00::2", "fd00::3", sctp)];
        apply(&ruleset::render(&facts(gate, &orders), &all)).unwrap();
        assert_eq!(flows(), all);
        apply(&ruleset::render(&facts(gate, &orders), &flows())).unwrap();
        assert_eq!(flows(), all);
        // Where nothing is denied nobody remembers any.
        apply(&ruleset::render(&facts(gate, &Orders::default()), &flows())).unwrap();
        assert!(flows().is_empty());
        Ok(())
    })
    .unwrap();
    drop(ns);
    assert!(namespaces::remove(&path).unwrap());
}

#[test]
fn elements_come_and_go_as_nft_writes_them() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ns");
    let ns = NetNs::create(&path).unwrap();
    let own = element(
        Family::Bridge,
        "own6",
        &[
            Field::Interface("vo-web_1".into()),
            Field::Mac(Mac([2, 0, 0, 0, 0, 9])),
            Field::Ip("fd00::9".parse().unwrap()),
        ],
        &[],
    );
    let port = |to: &str| {
        element(
            Family::Inet,
            "ports4",
            &[Field::Protocol(17), Field::Port(8053)],
            &[Field::Ip(to.parse().unwrap()), Field::Port(53)],
        )
    };
    ns.run(|| {
        assert!(!has_table(Family::Inet)?);
        let missing = change(&[Change::Add(own.clone())]).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let (gate, orders) = (gate(), Orders::default());
        apply(&ruleset::render(&facts(gate, &orders), &[])).unwrap();
        assert!(has_table(Family::Inet)? && has_table(Family::Bridge)?);
        let both = [own.clone(), port("10.0.0.9")];
        let has = |elements: &[Element]| {
            has_elements(ruleset::sets_of_elements(&Orders::default()), elements)
        };
        assert!(has(&[])? && !has(&both)?);
        // Again it is no other.
        for _ in 0..2 {
            change(&both.clone().map(Change::Add))?;
        }
        assert!(has(&both)? && !has(&both[..1])? && !has(&[own.clone(), port("10.0.0.7")])?);
        let text = listed();
        assert!(text.contains("\"vo-web_1\" . 02:00:00:00:00:09 . fd00::9"), "{text}");
        assert!(text.contains("udp . 8053 : 10.0.0.9 . 53"), "{text}");
        // All or nothing: a key that leads elsewhere already undoes what came before it.
        let taken = change(&[Change::Remove(own.clone()), Change::Add(port("10.0.0.8"))]);
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(listed().contains("fd00::9"));
        change(&[Change::Remove(own.clone()), Change::Remove(port("10.0.0.9"))])?;
        assert!(!listed().contains("elements"));
        let gone = change(&[Change::Remove(own.clone())]).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        // Rules are counted as they were written.
        for table in ruleset::tables(&facts(gate, &orders)) {
            let ruleset::Table { family, rules: count, comment: own, .. } = table;
            let whole = rules(family)?;
            assert!(count > 0 && whole.count == count, "{family}: {count}");
            assert_eq!(comment(family)?, Some(own));
            Command::new("nft")
                .args(["flush", "table", &family.to_string(), "volt"])
                .run()
                .unwrap();
            let flushed = rules(family)?;
            assert!(flushed.count == 0 && flushed.digest != whole.digest);
        }
        // Rendered again they are the same; but not where as many do something else.
        let shown = || Family::ALL.map(|family| rules(family).unwrap());
        let render = || apply(&ruleset::render(&facts(gate, &orders), &[])).unwrap();
        render();
        let before = shown();
        for other in [
            "add chain bridge volt prerouting { policy drop; }",
            "flush chain inet volt lead_in; add rule inet volt lead_in accept; add rule inet volt lead_in accept; add rule inet volt lead_in accept; add rule inet volt lead_in accept",
        ] {
            render();
            assert_eq!(shown(), before);
            apply(other).unwrap();
            let counts = |all: [Rules; 4]| all.map(|rules| rules.count);
            assert!(shown() != before && counts(shown()) == counts(before), "{other}");
        }
        apply(&ruleset::nothing()).unwrap();
        assert!(!has_table(Family::Inet)? && !has(&[])? && rules(Family::Inet)?.count == 0);
        assert_eq!(comment(Family::Inet)?, None);
        assert!(apply("table inet volt { nonsense }").is_err());
        Ok(())
    })
    .unwrap();
    drop(ns);
    assert!(namespaces::remove(&path).unwrap());
}

#[test]
fn datagrams_that_went_somewhere_are_forgotten() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ns");
    let ns = NetNs::create(&path).unwrap();
    ns.run(|| {
        // Only where there is something to lead does the kernel remember.
        let (gate, orders) = (gate(), Orders::default());
        apply(&ruleset::render(&facts(gate, &orders), &[])).unwrap();
        let (to, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("[::1]:0")?);
        let from = UdpSocket::bind("127.0.0.1:0")?;
        from.send_to(b"x", to.local_addr()?)?;
        UdpSocket::bind("[::1]:0")?.send_to(b"x", other.local_addr()?)?;
        let known = |forget: bool| {
            let seen = RefCell::new(Vec::new());
            forget_datagrams(|ip, port| {
                seen.borrow_mut().push(SocketAddr::new(ip, port));
                forget && port == to.local_addr().unwrap().port()
            })?;
            let mut seen = seen.into_inner();
            seen.sort_unstable();
            io::Result::Ok(seen)
        };
        assert_eq!(known(true)?, [to.local_addr()?, other.local_addr()?]);
        assert_eq!(known(false)?, [other.local_addr()?]);
        Ok(())
    })
    .unwrap();
    drop(ns);
    assert!(namespaces::remove(&path).unwrap());
}

#[test]
fn a_change_of_many_is_one() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ns = NetNs::create(&dir.path().join("ns")).unwrap();
    ns.run(|| {
        apply(&ruleset::render(&facts(gate(), &Orders::default()), &[])).unwrap();
        let port = |port| {
            let key = [Field::Protocol(6), Field::Port(port)];
            element(Family::Inet, "exposed", &key, &[])
        };
        let many: Vec<Element> = (1..=20_000).map(port).collect();
        let sets = || [(Family::Inet, "exposed".into())];
        change(&many.iter().cloned().map(Change::Add).collect::<Vec<_>>()).unwrap();
        assert!(has_elements(sets(), &many).unwrap());
        // One that is not there, and all of it is as it was.
        let mut changes: Vec<Change> = many.iter().cloned().map(Change::Remove).collect();
        changes.insert(10_000, Change::Remove(port(30_000)));
        assert_eq!(change(&changes).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(has_elements(sets(), &many).unwrap());
        changes.remove(10_000);
        change(&changes).unwrap();
        assert!(has_elements(sets(), &[]).unwrap());
        Ok(())
    })
    .unwrap();
}
