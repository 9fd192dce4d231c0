//! What passes the loopback of a namespace.

use super::*;
use crate::namespaces::{self, NetNs};
use std::net::UdpSocket;
use std::time::{SystemTime, UNIX_EPOCH};

/// Frames of this protocol and nothing else, as tcpdump writes it.
fn frames_of(protocol: u16) -> Filter {
    let text = format!("4\n40 0 0 12\n21 0 1 {protocol}\n6 0 0 262144\n6 0 0 0\n");
    Filter::read(&text).unwrap()
}

#[test]
fn packets_are_seen_as_they_pass() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net");
    let namespace = NetNs::create(&path).unwrap();
    let look = || {
        // The loopback is the first of all.
        let mut whole = Capture::of(1, MAX_SNAP, Some(&frames_of(0x0800)))?;
        let mut head = Capture::of(1, 60, None)?;
        let mut other = Capture::of(1, 60, Some(&frames_of(0x86dd)))?;
        assert!(whole.receive()?.is_none() && !whole.wait(Duration::ZERO)?);
        let sender = UdpSocket::bind("127.0.0.1:0")?;
        let text = [7; 100];
        sender.send_to(&text, "127.0.0.1:9")?;
        assert!(whole.wait(Duration::from_secs(5))?);
        let seen = whole.receive()?.unwrap();
        assert_eq!((seen.length, seen.bytes.len()), (14 + 20 + 8 + 100, 142));
        assert!(seen.bytes.ends_with(&text));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(now - seen.time < Duration::from_secs(10), "{:?}", seen.time);
        let seen = head.receive()?.unwrap();
        assert_eq!((seen.length, seen.bytes.len()), (142, 60));
        assert!(other.receive()?.is_none(), "there was no IPv6");
        Ok(())
    };
    namespace.run(look).unwrap();
    drop(namespace);
    assert!(namespaces::remove(&path).unwrap());
}

#[test]
fn what_is_no_filter_is_refused() {
    for text in ["", "x", "1", "1\n6 0 0", "1\n6 0 0 0 0", "2\n6 0 0 0", "1\n6 0 300 0"] {
        assert!(Filter::read(text).is_none(), "{text:?}");
    }
}
