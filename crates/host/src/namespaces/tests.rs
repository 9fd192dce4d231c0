//! Real namespaces, as root.

use super::*;
use std::net::{TcpListener, TcpStream};

#[test]
fn made_used_and_removed() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("netns/volt-test");
    let ns = NetNs::create(&path).unwrap();
    assert_eq!(NetNs::create(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let interfaces = ns.run(|| fs::read_to_string("/proc/thread-self/net/dev")).unwrap();
    assert!(interfaces.contains("lo:") && !interfaces.contains("eth"), "{interfaces}");
    // A thread that may do nothing special listens on a low port and is reached over loopback.
    ns.run(|| {
        let listener = TcpListener::bind("127.0.0.1:80")?;
        TcpStream::connect(listener.local_addr()?).map(drop)
    })
    .unwrap();
    let range = ns.run(|| fs::read_to_string("/proc/sys/net/ipv4/ping_group_range")).unwrap();
    assert_eq!(range.split_whitespace().last(), Some("2147483647"));
    let links = || fs::read_to_string("/proc/thread-self/net/dev").unwrap().lines().count();
    assert_eq!(ns.run(|| Ok(links())).unwrap(), 3);
    // From within, the host's network is had all the same, where PID 1 may be looked at.
    if fs::read_link("/proc/1/ns/net").is_ok() {
        let from_within = ns.run(|| Ok(in_network_of_host(links).unwrap())).unwrap();
        assert_eq!(from_within, in_network_of_host(links).unwrap());
    }
    drop(ns);
    assert_eq!(list(path.parent().unwrap()).unwrap(), std::slice::from_ref(&path));
    NetNs::open(&path).unwrap();
    assert!(remove(&path).unwrap());
    assert!(!remove(&path).unwrap());
    assert_eq!(NetNs::open(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    // The file of a process that was killed before it mounted anything.
    File::create(&path).unwrap();
    NetNs::create(&path).unwrap();
    assert!(remove(&path).unwrap());
    assert!(list(&dir.path().join("nowhere")).unwrap().is_empty());
}
