//! Elements as the kernel takes them, in a network namespace of the test's own.

use super::*;
use crate::namespaces::{self, NetNs};
use std::io;
use volt_model::net::ruleset::{self, Element, Family, Field};
use volt_model::net::{Mac, Protocol};

fn element(family: Family, set: &'static str, key: &[Field], value: &[Field]) -> Element {
    Element { family, set, key: key.to_vec(), value: value.to_vec() }
}

fn listed() -> String {
    Command::new("nft").args(["list", "ruleset"]).output().unwrap().text()
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
            Field::Interface("vt-web_1".into()),
            Field::Mac(Mac([2, 0, 0, 0, 0, 9])),
            Field::Ip("fd00::9".parse().unwrap()),
        ],
        &[],
    );
    let port = |to: &str| {
        element(
            Family::Inet,
            "ports4",
            &[Field::Protocol(Protocol::Udp), Field::Port(8053)],
            &[Field::Ip(to.parse().unwrap()), Field::Port(53)],
        )
    };
    ns.run(|| {
        assert!(!has_table(Family::Inet)?);
        let missing = change(&[Change::Add(own.clone())]).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        apply(&ruleset::render(&[], &[])).unwrap();
        assert!(has_table(Family::Inet)? && has_table(Family::Bridge)?);
        change(&[Change::Add(own.clone()), Change::Add(port("10.0.0.9"))])?;
        let text = listed();
        assert!(text.contains("\"vt-web_1\" . 02:00:00:00:00:09 . fd00::9"), "{text}");
        assert!(text.contains("udp . 8053 : 10.0.0.9 . 53"), "{text}");
        // All or nothing: a key that leads elsewhere already undoes what came before it.
        let taken = change(&[Change::Remove(own.clone()), Change::Add(port("10.0.0.8"))]);
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(listed().contains("fd00::9"));
        change(&[Change::Remove(own.clone()), Change::Remove(port("10.0.0.9"))])?;
        assert!(!listed().contains("elements"));
        let gone = change(&[Change::Remove(own.clone())]).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        apply(ruleset::NOTHING).unwrap();
        assert!(!has_table(Family::Inet)?);
        assert!(apply("table inet volt { nonsense }").is_err());
        Ok(())
    })
    .unwrap();
    drop(ns);
    assert!(namespaces::remove(&path).unwrap());
}
