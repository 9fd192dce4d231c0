//! Connects to real listeners, one of them in a namespace of its own.

use super::*;
use std::path::Path;

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn by_an_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::At(Ipv4Addr::LOCALHOST.into());
    drop(wait(place.connect(port)).unwrap());
    drop(listener);
    assert_eq!(wait(place.connect(port)).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn inside_a_namespace() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("inside");
    let namespace = NetNs::create(&path).unwrap();
    let listener = namespace.run(|| std::net::TcpListener::bind("127.0.0.1:8099")).unwrap();
    drop(wait(Place::Inside(path.clone()).connect(8099)).unwrap());
    drop(listener);
    let refused = wait(Place::Inside(path.clone()).connect(8099)).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    drop(namespace);
    crate::namespaces::remove(&path).unwrap();
    assert!(wait(Place::Inside(Path::new("/nonexistent").into()).connect(80)).is_err());
}
