//! Rules of the firewall: about the host, addresses and workloads, by connections that are made and refused.

use super::net::{address, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts, xtask};

/// Whether something listens at a port of the host, as seen from there.
fn hears(host: &Host, from: Option<&str>, address: &str, port: u16) -> bool {
    let inside = from.map(|from| format!("volt exec {from} ")).unwrap_or("busybox ".to_owned());
    host.sh(&format!("timeout 4 {inside} nc -w 2 {address} {port} < /dev/null")).code == 0
}

on_hosts! {
    fn firewall_rules_are_about_the_host_and_what_is_outside(host) {
        let host = host.private("wall");
        host.tiny();
        let other = host.private("beyond");
        xtask(&["host", "link", &format!("{}:wan=10.202.0.1/24", host.name()), &format!("{}:wan=10.202.0.2/24", other.name())]);
        host.sh("ip addr add fd21::1/64 nodad dev wan").ok();
        other.sh("ip addr add fd21::2/64 nodad dev wan").ok();
        // Without any network, too.
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /srv").ok();
        host.until(Duration::from_secs(10), "busybox nc -w 2 127.0.0.1 81 < /dev/null");
        assert!(hears(&other, None, "10.202.0.1", 81));
        assert_eq!(host.sh("volt firewall rule add deny --from outside --to host --port 81").ok().trim(), "rule-1");
        assert!(!hears(&other, None, "10.202.0.1", 81) && !hears(&other, None, "fd21::1", 81) && hears(&host, None, "127.0.0.1", 81));
        host.sh("volt system check && volt firewall rule delete rule-1").ok();
        assert!(hears(&other, None, "10.202.0.1", 81) && host.sh("nft list tables").ok().trim().is_empty());
        // Workloads, their ports, and internal networks.
        host.sh("volt net create --internal --subnet 10.68.0.0/24 vault").ok();
        serve(&host, "wall1", "--network volt0 -p 8091:80");
        serve(&host, "wall2", "--network vault");
        assert!(reaches(&other, None, "10.202.0.1:8091", "wall1") && reaches(&other, None, "[fd21::1]:8091", "wall1"));
        host.sh("volt firewall rule add --name far deny --from 10.202.0.0/24 --to wall1 && volt firewall rule add --name far6 deny --from fd21::/64").ok();
        assert!(!reaches(&other, None, "10.202.0.1:8091", "wall1") && !reaches(&other, None, "[fd21::1]:8091", "wall1"));
        let told = host.volt(&["net", "policy", "test", "10.202.0.2", "wall1:80", "-o", "json"]).json();
        assert_eq!((told[0]["allowed"].as_bool(), told[0]["by"].as_str()), (Some(false), Some("rule far")), "{told}");
        host.sh("volt firewall rule delete far far6").ok();
        assert!(reaches(&other, None, "10.202.0.1:8091", "wall1"));
        assert!(hears(&host, Some("wall1"), "10.0.0.1", 81) && !hears(&host, Some("wall2"), "10.68.0.1", 81));
        host.sh("volt firewall rule add --name shut deny --from wall1 --to host --port 81 && volt firewall rule add --name ask allow --from net:vault --to host --port 81").ok();
        assert!(!hears(&host, Some("wall1"), "10.0.0.1", 81) && hears(&host, Some("wall2"), "10.68.0.1", 81));
        let (ip, _) = address(&host, "wall1");
        assert!(reaches(&host, None, &ip, "wall1"), "the host is held back");
        host.sh("volt exec wall1 nslookup wall1").ok();
        let names = host.volt(&["firewall", "rule", "list", "-o", "name"]).ok();
        assert_eq!(names.lines().collect::<Vec<_>>(), ["shut", "ask"]);
        for (words, code, said) in [
            ("add --name shut deny", 4, "shut"),
            ("add deny --from host", 2, "host"),
            ("add deny --port x", 2, "x"),
            ("add maybe", 2, "maybe"),
            ("delete nowhere", 3, "nowhere"),
        ] {
            let error = host.sh(&format!("volt firewall rule {words}")).fails(code);
            assert!(error.contains(said), "{words}: {error}");
        }
        let seen = host.volt(&["firewall", "status", "-o", "json"]).json();
        let counted = ["rules", "networks", "connected", "published"].map(|key| seen[key].as_u64().unwrap());
        assert_eq!((counted, seen["whole"].as_bool()), ([2, 2, 2, 1], Some(true)), "{seen}");
        // By hand, and put back when others take it away.
        host.sh("sed -i 's/\"81\\/tcp\"/\"82\\/tcp\"/' /etc/volt/firewall-rules.json && volt firewall reload").ok();
        assert!(hears(&host, Some("wall1"), "10.0.0.1", 81) && !hears(&host, Some("wall2"), "10.68.0.1", 81));
        host.sh("nft flush chain inet volt input").ok();
        host.until(Duration::from_secs(10), "volt firewall status -o json | grep -q '\"whole\": *true'");
        host.sh("volt delete --force wall1 wall2 && volt net delete vault volt0 && volt firewall rule delete shut ask && ! nft list table inet volt && volt system check").ok();
    }
}
