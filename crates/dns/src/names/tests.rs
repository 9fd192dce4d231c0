//! Who sees whom.

use super::*;

/// Two networks: `web` and two replicas of `db` on `back`, `web` and `proxy` on `front`; `lab` reaches nothing outside.
pub(crate) const TABLE: &str = r#"{"generation": 7, "networks": [
  {"name": "back", "gateways": ["10.0.1.1", "fd00:1::1"], "subnets": ["10.0.1.0/24", "fd00:1::/64"], "forwards": true, "members": [
    {"name": "web", "addresses": ["10.0.1.2", "fd00:1::2"]},
    {"name": "db1", "addresses": ["10.0.1.3"], "aliases": ["db", "web", "my_db", "s3.example.com", "web.back", "store.local"]},
    {"name": "db2", "addresses": ["10.0.1.4"], "aliases": ["db", "store.local"]}]},
  {"name": "front", "gateways": ["10.0.2.1"], "subnets": ["10.0.2.0/24"], "forwards": true, "members": [
    {"name": "web", "addresses": ["10.0.2.2"]},
    {"name": "proxy", "addresses": ["10.0.2.3"]}]},
  {"name": "lab", "gateways": ["10.0.3.1"], "subnets": ["10.0.3.0/24"], "forwards": false, "members": [
    {"name": "probe", "addresses": ["10.0.3.2"]}]}]}"#;

fn found(source: &str, host: &str, network: Option<&str>) -> Option<Vec<String>> {
    let names = Names::new(&serde_json::from_str(TABLE).unwrap());
    let view = names.view(source.parse().unwrap())?;
    let all = view.find(host.as_bytes(), network.map(str::as_bytes));
    Some(all.flat_map(|all| all.v4.iter().map(ToString::to_string)).collect())
}

#[test]
fn an_asker_sees_the_networks_that_he_is_on() {
    let some = |all: &[&str]| Some(all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    for (source, host, network, addresses) in [
        ("10.0.1.2", "web", None, some(&["10.0.1.2", "10.0.2.2"])),
        ("fd00:1::2", "proxy", None, some(&["10.0.2.3"])),
        ("10.0.1.2", "web", Some("front"), some(&["10.0.2.2"])),
        ("10.0.1.3", "web", None, some(&["10.0.1.2"])),
        ("10.0.1.3", "proxy", None, some(&[])),
        ("10.0.1.3", "web", Some("front"), some(&[])),
        ("10.0.1.3", "db", Some("back"), some(&["10.0.1.3", "10.0.1.4"])),
        // Not a member, but on the network; the host; nobody.
        ("10.0.2.9", "web", None, some(&["10.0.2.2"])),
        ("10.0.2.1", "db", None, some(&["10.0.1.3", "10.0.1.4"])),
        ("127.0.0.1", "probe", None, some(&["10.0.3.2"])),
        ("192.0.2.1", "web", None, None),
    ] {
        assert_eq!(found(source, host, network), addresses, "{source} asks for {host}");
    }
}

#[test]
fn who_may_ask_for_more() {
    let names = Names::new(&serde_json::from_str(TABLE).unwrap());
    let forwards = |source: &str| names.view(source.parse().unwrap()).map(|view| view.forwards());
    assert_eq!(forwards("10.0.1.3"), Some(true));
    assert_eq!(forwards("10.0.3.2"), Some(false), "a network that reaches nothing outside");
    assert_eq!(forwards("10.0.1.1"), Some(false), "the host");
    assert_eq!(forwards("192.0.2.1"), None);
    assert!(names.covers("10.0.3.77".parse().unwrap()));
    assert_eq!(names.gateways().len(), 4);
}
