//! Rules of the firewall: about the host, addresses and workloads, by connections that are made and refused.

use super::net::{address, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts, on_vms, xtask};

/// Whether something listens at a port of the host, as seen from there.
fn hears(host: &Host, from: Option<&str>, address: &str, port: u16) -> bool {
    let inside = from.map(|from| format!("volt exec {from} ")).unwrap_or("busybox ".to_owned());
    host.sh(&format!("timeout 4 {inside} nc -w 2 {address} {port} < /dev/null")).code == 0
}

/// Two hosts on one wire: 10.202.0.1 and fd21::1 here, 10.202.0.2 and fd21::2 there.
pub(super) fn linked(host: &Host, other: &Host) {
    let end = |host: &Host, last| format!("{}:wan=10.202.0.{last}/24", host.name());
    xtask(&["host", "link", &end(host, 1), &end(other, 2)]);
    host.sh("ip addr add fd21::1/64 nodad dev wan").ok();
    other.sh("ip addr add fd21::2/64 nodad dev wan").ok();
}

on_hosts! {
    fn firewall_rules_are_about_the_host_and_what_is_outside(host) {
        let host = host.private("wall");
        host.tiny();
        let other = host.private("beyond");
        linked(&host, &other);
        // Without any network, too.
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /srv").ok();
        host.until(Duration::from_secs(10), "busybox nc -w 2 127.0.0.1 81 < /dev/null");
        assert!(hears(&other, None, "10.202.0.1", 81));
        assert_eq!(host.sh("volt firewall rule add deny --from outside --to host --port 81").ok().trim(), "rule-1");
        assert!(!hears(&other, None, "10.202.0.1", 81) && !hears(&other, None, "fd21::1", 81) && hears(&host, None, "127.0.0.1", 81));
        // Over a boot, before there is any network: whatever is wrong with networks, and while the file is gone that said so. And put back when
        // others take it away.
        let record = "/var/lib/volt/networks/odd.json";
        host.sh(&format!("systemctl mask volt-network.service && mv /etc/volt/firewall-rules.json /root && mkdir -p /var/lib/volt/networks && echo nonsense > {record}")).ok();
        host.reboot();
        let begun = |unit: &str| host.sh(&format!("systemctl show -P ActiveEnterTimestampMonotonic {unit}")).ok().parse::<u64>().unwrap();
        assert!((1..=begun("network-pre.target")).contains(&begun("volt-firewall.service")));
        other.sh("ip link delete wan; true").ok();
        linked(&host, &other);
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /srv").ok();
        host.until(Duration::from_secs(10), "busybox nc -w 2 127.0.0.1 81 < /dev/null");
        assert!(!hears(&other, None, "10.202.0.1", 81));
        host.sh(&format!("rm {record} && mv /root/firewall-rules.json /etc/volt && systemctl unmask volt-network.service && systemctl start volt-network.service")).ok();
        assert!(!hears(&other, None, "10.202.0.1", 81));
        host.sh("systemd-run --quiet --collect --unit=told --property=StandardOutput=append:/run/told volt events -o json").ok();
        host.until(Duration::from_secs(10), "volt net create heard >/dev/null 2>&1; volt net delete heard; grep -q heard /run/told");
        host.sh("nft delete table inet volt").ok();
        host.until(Duration::from_secs(10), "nft list table inet volt && grep restored /run/told | grep '\"firewall\"'");
        assert!(!hears(&other, None, "10.202.0.1", 81));
        host.sh("systemctl stop told && volt system check && volt firewall rule delete rule-1").ok();
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
        // By whichever address: rules are about one version each.
        for (from, to, allowed) in [("fd21::2", "wall1:80", false), ("fd21::2", "wall2:80", false), ("192.0.2.9", "wall1:80", true), ("192.0.2.9", "wall1:81", false)] {
            let told = host.volt(&["net", "policy", "test", from, to, "-o", "json"]).json();
            assert_eq!(told[0]["allowed"].as_bool(), Some(allowed), "{from} {to}: {told}");
        }
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
        // Who wonders why nothing gets in or out sees who else drops it, and what has come to have a network's addresses.
        assert_eq!(seen["closed"], serde_json::json!([]));
        host.sh("nft 'add table inet other; add chain inet other in { type filter hook input priority 5; policy drop; }; \
            add chain inet other out { type filter hook output priority 5; policy drop; }; add rule inet other out accept; \
            add rule inet other in accept; add chain inet other on { type filter hook forward priority 5; policy accept; }'").ok();
        assert_eq!(host.volt(&["firewall", "status", "-o", "json"]).json()["closed"], serde_json::json!(["inet other in"]));
        host.sh("nft delete table inet other && ip link add lan type veth peer name lan-peer && ip link set lan up && ip address add 10.0.0.77/16 dev lan").ok();
        let check = host.volt(&["system", "check"]);
        assert!(check.stdout.contains("overlaps with 10.0.0.0/16 of the host's route by lan"), "{check:?}");
        host.sh("ip link delete lan").ok();
        // By hand, and put back when others take it away.
        host.sh("sed -i 's/\"81\\/tcp\"/\"82\\/tcp\"/' /etc/volt/firewall-rules.json && volt firewall reload").ok();
        assert!(hears(&host, Some("wall1"), "10.0.0.1", 81) && !hears(&host, Some("wall2"), "10.68.0.1", 81));
        host.sh("nft flush chain inet volt input").ok();
        host.until(Duration::from_secs(10), "volt firewall status -o json | grep -q '\"whole\": *true'");
        host.sh("volt delete --force wall1 wall2 && volt net delete vault volt0 && volt firewall rule delete shut ask && ! nft list table inet volt && volt system check").ok();
    }
}

/// The host's own rules, which close all but what they name.
const CLOSED: &str = "table inet own {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname lo accept
        meta l4proto { icmp, icmpv6 } accept
    }
}";

/// Writes down who sends a datagram to port 9.
const HEARD: &str = "import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 9))
while True:
    data, sender = s.recvfrom(9000)
    print(len(data), sender[0], file=open('/tmp/heard', 'a'), flush=True)";

on_hosts! {
    fn firewall_of_the_host_closes_published_ports(host) {
        let host = host.private("shut");
        host.tiny();
        let other = host.private("without");
        linked(&host, &other);
        serve(&host, "shut1", "-p 8091:80 -p 10.202.0.1:8092:80 -p 9:9/udp");
        serve(&host, "open1", "-p 8093:80 --expose");
        let ports = |from: Option<&str>, asker: &Host| {
            let to = |at: &str, name: &str| reaches(asker, from, at, name);
            [to("10.202.0.1:8091", "shut1"), to("[fd21::1]:8091", "shut1"), to("10.202.0.1:8092", "shut1"), to("10.202.0.1:8093", "open1"), to("[fd21::1]:8093", "open1")]
        };
        assert_eq!(ports(None, &other), [true; 5]);
        // Datagrams too, and whoever sends stays who he is.
        host.run_with(&["sh", "-c", "cat > /tmp/heard.py"], HEARD.as_bytes()).ok();
        host.sh("systemd-run --quiet --collect ip netns exec volt-shut1 python3 /tmp/heard.py").ok();
        let send_to = |bytes: usize, to: &str, port: u16, from: &str| {
            other.sh(&format!("python3 -c \"import socket; s = socket.socket(socket.AF_INET6 if ':' in '{to}' else socket.AF_INET, socket.SOCK_DGRAM); s.bind(('{from}', 0)); s.sendto(b'x' * {bytes}, ('{to}', {port}))\"")).ok();
        };
        let send_much = |bytes: usize, to: &str, from: &str| send_to(bytes, to, 9, from);
        let send = |to: &str, from: &str| send_much(1, to, from);
        let heard = |whom: &str| format!("grep -q '{whom}$' /tmp/heard");
        host.until(Duration::from_secs(10), "ip netns exec volt-shut1 ss -Hlun | grep -q :9");
        send("10.202.0.1", "10.202.0.2");
        host.until(Duration::from_secs(5), &heard("10.202.0.2"));
        send("fd21::1", "fd21::2");
        host.until(Duration::from_secs(5), &heard("fd21::2"));
        // Also those that come in parts, and are the first that somebody sends; and those that are larger than a network takes, whose sender
        // lets others cut them.
        for (bytes, to, from) in [(3000, "10.202.0.1", "10.202.0.2"), (3001, "fd21::1", "fd21::2")] {
            send_much(bytes, to, from);
            host.until(Duration::from_secs(5), &heard(&format!("{bytes} .*{from}")));
        }
        other.sh("sysctl -qw net.ipv4.ip_no_pmtu_disc=1").ok();
        host.sh("volt net create --mtu 1280 --subnet 10.68.9.0/24 small && volt run -d --name small1 --network small -p 10:9/udp tiny sleep 1000 && \
            systemd-run --quiet --collect ip netns exec volt-small1 python3 /tmp/heard.py").ok();
        host.until(Duration::from_secs(10), "ip netns exec volt-small1 ss -Hlun | grep -q :9");
        send_to(1400, "10.202.0.1", 10, "10.202.0.2");
        host.until(Duration::from_secs(5), &heard("1400 .*10.202.0.2"));
        host.sh("volt delete --force small1 && volt net delete small").ok();
        // Nobody is taken for a member who is outside.
        other.sh("ip addr add 10.0.0.77/32 dev lo && ip addr add 10.77.0.1/32 dev lo").ok();
        host.sh("ip route add 10.77.0.0/24 via 10.202.0.2; sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0").ok();
        send("10.202.0.1", "10.0.0.77");
        send("10.202.0.1", "10.77.0.1");
        host.until(Duration::from_secs(5), &heard("10.77.0.1"));
        // The member would hear the host in his place.
        assert!(host.sh(&heard("10.0.0.77")).code != 0 && host.sh(&heard("10.0.0.1")).code != 0);
        // What the host closes stays closed, to whomever is outside; but for what is asked to be open.
        host.run_with(&["nft", "-f", "-"], CLOSED.as_bytes()).ok();
        assert_eq!(ports(None, &other), [false, false, false, true, true]);
        assert_eq!(ports(Some("open1"), &host)[..2], [true, true], "members are no outsiders");
        host.sh("ip netns exec volt-open1 python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('10.202.0.1', 9))\"").ok();
        host.until(Duration::from_secs(5), &heard("10.0.0.1"));
        assert!(reaches(&host, None, "127.0.0.1:8091", "shut1") && reaches(&host, None, "10.202.0.1:8091", "shut1"));
        assert!(reaches(&other, None, "10.202.0.1:8093", "open1"));
        // So do Volt's own rules about the host.
        host.sh("volt firewall rule add --name gate deny --from outside --to host --port 8093 && volt firewall rule add --name gates deny --from outside --to host --port 8091").ok();
        assert_eq!(ports(None, &other), [false, false, false, true, true]);
        let told = |to: &str| host.volt(&["net", "policy", "test", "outside", to, "-o", "json"]).json()[0]["allowed"].as_bool();
        assert_eq!((told("shut1:80"), told("open1:80")), (Some(false), Some(true)));
        host.sh("nft add rule inet own input tcp dport 8091 accept").ok();
        assert_eq!(ports(None, &other), [false, false, false, true, true]);
        host.sh("volt firewall rule delete gate gates").ok();
        assert_eq!(ports(None, &other), [true, true, false, true, true]);
        // The gate is put back where another program takes it away.
        host.sh("ip link delete voltgate0").ok();
        host.until(Duration::from_secs(10), "volt firewall status -o json | grep -q '\"whole\": *true'");
        assert_eq!(ports(None, &other), [true, true, false, true, true]);
        host.sh("sysctl -qw net.ipv4.conf.voltgate1.rp_filter=1 && volt system check --repair; volt firewall status -o json | grep -q '\"whole\": *true'").ok();
        assert_eq!(ports(None, &other), [true, true, false, true, true]);
        host.sh("volt system check && volt delete --force shut1 open1").ok();
    }
}

on_hosts! {
    fn firewall_keeps_the_loopback_to_the_host(host) {
        let host = host.private("loop");
        host.tiny();
        let other = host.private("faraway");
        linked(&host, &other);
        for host in [&host, &other] {
            // What lets packets for the loopback come in at all, as some programs ask for.
            host.sh("sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0").ok();
        }
        host.run_with(&["sh", "-c", "cat > /tmp/heard.py"], HEARD.replace("'::'", "'::ffff:127.0.0.1'").as_bytes()).ok();
        host.sh("systemd-run --quiet --collect python3 /tmp/heard.py").ok();
        host.until(Duration::from_secs(10), "ss -Hlun | grep -q 127.0.0.1.*:9");
        let send = || {
            other.sh("python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'wan'); s.bind(('10.202.0.2', 0)); s.sendto(b'x', ('127.0.0.1', 9))\"").ok();
        };
        send();
        host.until(Duration::from_secs(5), "grep -q 10.202.0.2 /tmp/heard");
        serve(&host, "loop1", "-p 8094:80");
        host.sh("rm /tmp/heard").ok();
        send();
        // What the host itself sends comes later, and comes.
        host.sh("python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))\"").ok();
        host.until(Duration::from_secs(5), "grep -q 127.0.0.1 /tmp/heard");
        host.sh("! grep 10.202.0.2 /tmp/heard").ok();
        assert!(reaches(&host, None, "127.0.0.1:8094", "loop1"));
        host.sh("volt delete --force loop1").ok();
    }
}

on_vms! {
    fn firewall_of_a_machine_closes_published_ports(host) {
        host.tiny();
        host.sh("ip netns add far && ip link add wan type veth peer name wan netns far && ip addr add 10.202.5.1/24 dev wan && ip link set wan up && \
            ip addr add fd25::1/64 nodad dev wan && ip -n far addr add 10.202.5.2/24 dev wan && ip -n far addr add fd25::2/64 nodad dev wan && ip -n far link set wan up").ok();
        serve(host, "gate1", "-p 8095:80");
        serve(host, "gate2", "-p 8096:80 --expose");
        let ports = || {
            let get = |at: &str| host.sh(&format!("ip netns exec far timeout 5 busybox wget -q -O - http://{at}/")).code == 0;
            ["10.202.5.1:8095", "[fd25::1]:8095", "10.202.5.1:8096", "[fd25::1]:8096"].map(get)
        };
        assert_eq!(ports(), [true; 4]);
        host.run_with(&["nft", "-f", "-"], CLOSED.as_bytes()).ok();
        assert_eq!(ports(), [false, false, true, true]);
        host.sh("nft add rule inet own input tcp dport 8095 accept").ok();
        assert_eq!(ports(), [true; 4]);
        host.sh("nft delete table inet own; volt delete --force gate1 gate2; ip netns delete far; ip link delete wan; true").ok();
    }
}
