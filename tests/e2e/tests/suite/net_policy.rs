//! Policies between workloads, by connections that are made and refused. No test reads the text of a rule.

use super::net::{SERVE, address, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts, on_vms};

/// Answers every datagram with what is in it.
const ANSWER: &str = "import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(('::', 7))
while True:
    s.sendto(*s.recvfrom(99))";
/// Asks for such an answer; from the port that is named, where one is.
const ASK: &str = "import socket, sys
to = socket.getaddrinfo(sys.argv[1], 7, type=socket.SOCK_DGRAM)[0]
s = socket.socket(to[0], to[1])
s.bind(('', int((sys.argv + [0])[2])))
s.settimeout(3)
s.sendto(b'hi', to[4])
assert s.recv(9) == b'hi'";

/// Asks all of a network at once, and says who has answered.
const ASK_ALL: &str = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.settimeout(1)
s.sendto(b'hi', (sys.argv[1], 7))
try:
    while True:
        print(s.recvfrom(9)[1][0])
except TimeoutError:
    pass";

/// Answers by a connection and by datagrams, to whomever; sends numbers so, each when the one before has come back, until it is enough.
const TALK: &str = r#"
import os, socket, sys, threading, time
def answer():
    s = socket.create_server(("", 7))
    c = s.accept()[0]
    while number := c.recv(8):
        c.sendall(number)
if sys.argv[1] == "answer":
    threading.Thread(target=answer).start()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 7))
    while True:
        s.sendto(*s.recvfrom(8))
stream = socket.create_connection((sys.argv[1], 7), timeout=20)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.settimeout(2)
datagrams.connect((sys.argv[1], 7))
count = lost = 0
while not os.path.exists("/run/enough"):
    number = b"%08d" % count
    stream.sendall(number)
    back = stream.recv(8)
    assert back == number, (number, back, "of the connection")
    while True:
        datagrams.send(number)
        try:
            while datagrams.recv(8) != number:
                pass
            break
        except TimeoutError:
            lost += 1
            assert lost < 3, (number, "of datagrams")
    count += 1
    if count == 10:
        open("/run/talking", "w").close()
    time.sleep(0.003)
"#;

/// Two networks, two members of the first and one of the second; the first two answer datagrams too.
fn members(host: &Host) {
    host.tiny();
    host.sh("volt net create --subnet 10.72.0.0/24 --ipv6 fd72::/64 pola && volt net create --subnet 10.70.0.0/24 --ipv6 fd70::/64 polb").ok();
    serve(host, "pol1", "--network pola --label role=front");
    serve(host, "pol2", "--network pola --ip 10.72.0.50 -p 8077:80");
    serve(host, "pol3", "--network polb");
    host.run_with(&["sh", "-c", "cat > /tmp/answer.py"], ANSWER.as_bytes()).ok();
    host.run_with(&["sh", "-c", "cat > /tmp/ask.py"], ASK.as_bytes()).ok();
    host.run_with(&["sh", "-c", "cat > /tmp/ask_all.py"], ASK_ALL.as_bytes()).ok();
    answer(host, "pol1");
    answer(host, "pol2");
}

fn answer(host: &Host, name: &str) {
    host.sh(&format!("systemd-run --quiet --collect --unit=answer-{name} ip netns exec volt-{name} python3 /tmp/answer.py")).ok();
    host.until(
        Duration::from_secs(10),
        &format!("ip netns exec volt-{name} python3 /tmp/ask.py ::1"),
    );
}

fn clear(host: &Host) {
    host.sh("systemctl stop answer-pol1 answer-pol2; volt delete --force pol1 pol2 pol3; volt net policy delete shut open out cross web; \
        volt net policy default pola allow; volt net delete pola polb; true").ok();
}

fn asks(host: &Host, from: &str, to: &str) -> bool {
    host.sh(&format!("ip netns exec volt-{from} python3 /tmp/ask.py {to}")).code == 0
}

/// Whether one answers what another asks all of its network.
fn is_told(host: &Host, from: &str, all: &str, whom: &str) -> bool {
    let heard = host.sh(&format!("ip netns exec volt-{from} python3 /tmp/ask_all.py {all}")).ok();
    heard.lines().any(|line| line == whom)
}

fn pings(host: &Host, from: &str, to: &str) -> bool {
    host.sh(&format!("ip netns exec volt-{from} ping -c 1 -W 1 {to}")).code == 0
}

/// The answers of `net policy test`: whether it is allowed, and by what.
fn told(host: &Host, from: &str, to: &str) -> (bool, String) {
    let seen = host.volt(&["net", "policy", "test", from, to, "-o", "json"]).json();
    let first = &seen[0];
    (first["allowed"].as_bool().unwrap(), first["by"].as_str().unwrap().to_owned())
}

/// What one member's policies do to another on the same bridge, and across networks.
fn policies_hold(host: &Host) {
    let (one, one6) = address(host, "pol1");
    let (two, two6) = address(host, "pol2");
    let three = address(host, "pol3").0;
    let v6 = |ip: &str| format!("[{ip}]");
    let link_local = host
        .sh("ip netns exec volt-pol2 ip -6 -o addr show dev eth0 scope link | grep -o 'fe80[^/]*'")
        .ok()
        .trim()
        .to_owned();
    for (to, name) in [(&two, "pol2"), (&v6(&two6), "pol2"), (&one, "pol1")] {
        let from = if name == "pol2" { "pol1" } else { "pol2" };
        assert!(reaches(host, Some(from), to, name), "{from} {to}");
    }
    assert!(!reaches(host, Some("pol1"), &three, "pol3"), "networks are not apart");
    // One port, one direction: by every address, and nothing else.
    host.sh("volt net policy create --deny --from role=front --to pol2 --port 80 shut").ok();
    let by_link = || {
        host.sh(&format!("ip netns exec volt-pol1 python3 -c \"import socket; s = socket.socket(socket.AF_INET6); s.settimeout(2); s.connect(('{link_local}', 80, 0, socket.if_nametoindex('eth0')))\"")).code == 0
    };
    for to in [&two, &v6(&two6)] {
        assert!(!reaches(host, Some("pol1"), to, "pol2"), "{to}");
    }
    assert!(
        !by_link()
            && reaches(host, Some("pol2"), &one, "pol1")
            && reaches(host, Some("pol2"), &v6(&one6), "pol1")
    );
    assert!(
        asks(host, "pol1", &two)
            && asks(host, "pol1", &two6)
            && pings(host, "pol1", &two)
            && pings(host, "pol1", &two6)
    );
    assert_eq!(told(host, "pol1", "pol2:80"), (false, "policy shut".into()));
    assert!(told(host, "pol1", "pol2:81").0);
    // What one denies no other allows; neither by the published port.
    host.sh("volt net policy create --from pol1 --to any open").ok();
    assert!(
        !reaches(host, Some("pol1"), &two, "pol2")
            && !reaches(host, Some("pol1"), "10.72.0.1:8077", "pol2")
    );
    // What it may begin with another network it may now: an allow leads there too.
    assert!(
        reaches(host, Some("pol1"), &three, "pol3") && !reaches(host, Some("pol3"), &one, "pol1")
    );
    host.sh("volt net policy delete shut open").ok();
    assert!(
        reaches(host, Some("pol1"), &two, "pol2")
            && by_link()
            && !reaches(host, Some("pol1"), &three, "pol3")
    );
    assert!(is_told(host, "pol1", "10.72.0.255", &two));
    // All of one direction: what the other begins is answered, and nothing but that.
    host.sh("volt net policy create --deny --from pol1 --to pol2 shut").ok();
    for (denied, to, back) in [("pol1", &two, &one), ("pol1", &two6, &one6)] {
        assert!(!asks(host, denied, to) && !pings(host, denied, to), "{to}");
        assert!(asks(host, "pol2", back) && pings(host, "pol2", back), "{back}");
        // Not by a port that answers come from: the other did not ask this one.
        assert!(!asks(host, denied, &format!("{to} 9999")), "{to}");
    }
    // Nor what is sent to all.
    assert!(!is_told(host, "pol1", "10.72.0.255", &two));
    assert!(
        !reaches(host, Some("pol1"), &two, "pol2") && reaches(host, Some("pol2"), &one, "pol1")
    );
    host.sh("volt net policy delete shut").ok();
    defaults_hold(host, &two, &two6);
}

/// A network in which nothing is allowed but what policies say.
fn defaults_hold(host: &Host, two: &str, two6: &str) {
    let (one, _) = address(host, "pol1");
    let outside = "10.72.0.1:8077";
    assert!(reaches(host, Some("pol3"), outside, "pol2"));
    assert!(
        host.sh("volt net policy default pola deny").ok().contains("ingress deny, egress deny")
    );
    assert!(
        !reaches(host, Some("pol1"), two, "pol2") && !reaches(host, Some("pol2"), &one, "pol1")
    );
    assert!(!reaches(host, Some("pol3"), outside, "pol2"), "a published port leads in");
    assert!(!pings(host, "pol1", two) && !asks(host, "pol1", two6));
    // The host itself is not held back, and names are told.
    assert!(
        reaches(host, None, two, "pol2")
            && pings(host, "pol1", "10.72.0.1")
            && pings(host, "pol1", "fd72::1")
    );
    host.sh("volt exec pol1 nslookup pol2").ok();
    assert_eq!(told(host, "pol1", "pol2:80"), (false, "egress default of pola".into()));
    host.sh("volt net policy create --from role=front --to pol2 --port 80 --port 7/udp web").ok();
    assert!(
        reaches(host, Some("pol1"), two, "pol2")
            && reaches(host, Some("pol1"), &format!("[{two6}]"), "pol2")
    );
    assert!(asks(host, "pol1", two) && asks(host, "pol1", two6));
    assert!(
        !asks(host, "pol2", &one)
            && !reaches(host, Some("pol2"), &one, "pol1")
            && !pings(host, "pol1", two)
    );
    assert_eq!(told(host, "pol1", "pol2:80"), (true, "policy web".into()));
    host.sh("volt net policy create --from net:polb --to pol2 --port 80 cross").ok();
    assert!(
        reaches(host, Some("pol3"), outside, "pol2") && reaches(host, Some("pol3"), two, "pol2")
    );
    // They follow a workload over restarts, by whomever, and to new addresses.
    host.sh("volt container restart -t 1 pol1 && systemctl restart volt-container@pol2").ok();
    host.until(
        Duration::from_secs(20),
        &format!("volt exec pol1 timeout 4 wget -q -O - http://{two}/"),
    );
    assert!(!pings(host, "pol1", two));
    host.sh(&format!("volt delete --force pol2 && volt run -d --name pol2 --network pola --ip 10.72.0.60 tiny sh -c '{SERVE}'")).ok();
    host.until(Duration::from_secs(20), "volt exec pol1 timeout 4 wget -q -O - http://10.72.0.60/");
    assert!(
        !pings(host, "pol1", "10.72.0.60") && !reaches(host, Some("pol3"), "10.72.0.60:81", "pol2")
    );
    host.sh("volt net policy default --egress pola allow").ok();
    let seen = host.volt(&["net", "inspect", "pola", "-o", "json"]).json();
    assert_eq!((seen["ingress"].as_str(), seen["egress"].as_str()), (Some("deny"), Some("allow")));
}

on_hosts! {
    fn net_policy_keeps_members_apart(host) {
        let host = host.private("policy");
        // Others' tables are left alone, to the byte.
        host.sh("for f in inet ip bridge; do nft \"table $f theirs { set few { type ether_addr; elements = { 02:00:00:00:00:09 }; }; chain own { type filter hook input priority 5; tcp dport 99 counter accept; }; }\"; done").ok();
        let theirs = || host.sh("for f in inet ip bridge; do nft -s -a list table $f theirs | grep -v ^table; done").ok();
        let before = theirs();
        members(&host);
        // As it is in namespaces where the module is there; and switched off.
        for switch in ["1", "0"] {
            host.sh(&format!("for f in /proc/sys/net/bridge/bridge-nf-call-ip*; do test ! -e $f || echo {switch} > $f; done")).ok();
            if switch == "0" {
                clear(&host);
                members(&host);
            }
            policies_hold(&host);
            host.sh("volt system check").ok();
        }
        assert_eq!(theirs(), before);
        clear(&host);
    }
}

on_vms! {
    fn net_policy_holds_whatever_bridges_show_to_iptables(host) {
        host.sh("modprobe br_netfilter").ok();
        for switch in ["0", "1"] {
            host.sh(&format!("sysctl -w net.bridge.bridge-nf-call-iptables={switch} net.bridge.bridge-nf-call-ip6tables={switch}")).ok();
            clear(host);
            members(host);
            policies_hold(host);
            clear(host);
        }
    }
}

on_hosts! {
    fn net_policy_create_list_delete_and_by_hand(host) {
        let host = host.private("polfile");
        host.tiny();
        host.sh("volt net create --subnet 10.72.0.0/24 pola").ok();
        serve(&host, "pol1", "--network pola");
        serve(&host, "pol2", "--network pola");
        let two = address(&host, "pol2").0;
        for (words, code, said) in [
            ("create --from Nobody one", 2, "Nobody"),
            ("create --to host one", 2, "host"),
            ("create --from host one", 2, "host"),
            ("create --port 99999 one", 2, "99999"),
            ("create --from 10.0.0.1/8 one", 2, "10.0.0.0/8"),
            ("create --from 10.0.0.0/8 --to fd00::/8 one", 2, "IPv6"),
            ("delete nowhere", 3, "nowhere"),
            ("default nowhere deny", 3, "nowhere"),
            ("test nobody pol1:80", 3, "nobody"),
            ("test pol1 net:pola", 2, "net:pola"),
            ("test pol1 pol2:80-81", 2, "one port"),
        ] {
            let error = host.sh(&format!("volt net policy {words}")).fails(code);
            assert!(error.contains(said), "{words}: {error}");
        }
        those_who_speak_go_on(&host, &two);
        assert_eq!(host.volt(&["net", "policy", "list", "-o", "json"]).ok().trim(), "[]");
        host.sh("volt net policy create --deny --from pol1 --to pol2 --port 80 --port 8000-8100 one").ok();
        host.sh("volt net policy create one").fails(4);
        assert!(host.sh("volt net policy test pol1 pol2:8050").ok().contains("policy one"));
        assert!(host.sh("volt net policy default pola allow").ok().contains("ingress allow"));
        let seen = host.volt(&["net", "policy", "list", "-o", "json"]).json();
        let ports = ["80/tcp", "8000-8100/tcp"];
        assert_eq!(seen, serde_json::json!([{"name": "one", "action": "deny", "from": "pol1", "to": "pol2", "ports": ports}]));
        assert!(!reaches(&host, Some("pol1"), &two, "pol2"));
        // By hand: nothing changes before it is asked for, and a bad file changes nothing.
        let file = "/etc/volt/network-policies.json";
        host.sh(&format!("sed -i 's/\"deny\"/\"allow\"/' {file}")).ok();
        assert!(!reaches(&host, Some("pol1"), &two, "pol2"));
        assert!(host.volt(&["firewall", "status"]).ok().contains("volt firewall reload"));
        host.sh("volt firewall reload").ok();
        assert!(reaches(&host, Some("pol1"), &two, "pol2"));
        host.sh(&format!("sed -i 's/\"allow\"/\"deny\"/' {file} && volt firewall reload && sed -i 's/\"deny\"/\"denied\"/' {file}")).ok();
        let line = host.sh(&format!("grep -n denied {file} | cut -d: -f1")).ok();
        for words in ["firewall reload", "net policy create two", "firewall rule add deny --to host --port 9"] {
            let error = host.sh(&format!("volt {words}")).fails(12);
            assert!(error.contains(file) && error.contains(&format!("line {}", line.trim())) && error.contains("denied"), "{error}");
        }
        // Whatever comes and goes meanwhile, and over a boot.
        host.sh("volt restart -t 1 pol1").ok();
        assert!(!reaches(&host, Some("pol1"), &two, "pol2"));
        host.sh("nft delete table inet volt").ok();
        host.until(Duration::from_secs(30), "nft list table inet volt");
        assert!(!reaches(&host, Some("pol1"), &two, "pol2"));
        host.reboot();
        host.sh("volt start pol1 pol2").ok();
        assert!(!reaches(&host, Some("pol1"), &two, "pol2") && reaches(&host, Some("pol2"), &address(&host, "pol1").0, "pol1"));
        host.sh(&format!("sed -i 's/\"denied\"/\"deny\"/' {file} && volt firewall reload && volt net policy delete one && volt system check")).ok();
        assert!(reaches(&host, Some("pol1"), &two, "pol2"));
        host.sh("volt delete --force pol1 pol2 && volt net delete pola").ok();
    }
}

/// Whoever speaks goes on, by connections and by datagrams, whatever policies come and go; who begins is held to them. A loaded machine may
/// lose a datagram of anybody (its queue of 1,000 is one for all namespaces): two are sent again, but not one at each change.
fn those_who_speak_go_on(host: &Host, to: &str) {
    let put = |policies: &[&str]| {
        let policies: Vec<String> = policies
            .iter()
            .enumerate()
            .map(|(n, words)| {
                let [action, from, to] = words.split(' ').collect::<Vec<_>>()[..] else {
                    panic!("{words}")
                };
                format!(
                    r#"{{"name": "p{n}", "action": "{action}", "from": "{from}", "to": "{to}"}}"#
                )
            })
            .collect();
        let text = format!(r#"{{"version": 1, "policies": [{}]}}"#, policies.join(","));
        let line =
            "mkdir -p /etc/volt && cat > /etc/volt/network-policies.json && volt firewall reload";
        host.run_with(&["sh", "-c", line], text.as_bytes()).ok();
    };
    host.run_with(&["sh", "-c", "cat > /tmp/talk.py"], TALK.as_bytes()).ok();
    host.run_with(&["sh", "-c", "cat > /tmp/ask.py"], ASK.as_bytes()).ok();
    // Before anything is denied nobody remembers who speaks by datagrams.
    put(&["deny net:pola 10.99.0.0/16"]);
    let run = |name: &str, words: &str| {
        host.sh(&format!("systemd-run --quiet --unit=talk-{name} --property=RemainAfterExit=yes ip netns exec volt-{name} python3 /tmp/talk.py {words}")).ok();
    };
    run("pol2", "answer");
    host.until(Duration::from_secs(30), "ip netns exec volt-pol2 ss -Hlun | grep -q :7 && ip netns exec volt-pol2 ss -Hltn | grep -q :7");
    run("pol1", to);
    host.until(Duration::from_secs(30), "test -e /run/talking");
    for (policies, begins) in [
        // What is answered, what is asked, both; by rules that are swapped and by elements alone; a default, and nothing.
        (&["deny pol2 pol1"][..], true),
        (&["deny pol1 pol2"], false),
        (&["deny pol1 pol2", "deny net:pola any"], false),
        (&["deny any pol2", "deny role=none pol1"], false),
        (&["deny any 10.99.0.0/16"], true),
    ] {
        put(policies);
        assert_eq!(asks(host, "pol1", to), begins, "{policies:?}");
    }
    host.sh("volt net policy default pola deny").ok();
    assert!(!asks(host, "pol1", to));
    host.sh("sleep 0.5; touch /run/enough").ok();
    host.until(
        Duration::from_secs(30),
        "test \"$(systemctl show -P SubState talk-pol1)\" != running",
    );
    host.sh("systemctl is-active talk-pol1 || { journalctl -u talk-pol1 >&2; false; }").ok();
    host.sh("systemctl stop talk-pol1 talk-pol2; volt net policy default pola allow").ok();
    put(&[]);
}

on_hosts! {
    fn net_policies_of_pairs_come_and_go_beside_the_rules(host) {
        let host = &*host.private("pairs");
        host.tiny();
        host.sh("volt net create --subnet 10.74.0.0/24 --ipv6 fd74::/64 polp").ok();
        serve(host, "pair1", "--network polp");
        serve(host, "pair2", "--network polp");
        let (two, two6) = address(host, "pair2");
        let two6 = format!("[{two6}]");
        let open = || [&two, &two6].map(|to| reaches(host, Some("pair1"), to, "pair2"));
        let deny = |name: &str, port: &str| host.sh(&format!("volt net policy create --deny --from pair1 --to pair2 --port {port} {name}"));
        // Tables that are swapped have other handles.
        let tables = || host.sh("for family in inet bridge; do nft -a list table $family volt | grep '^table'; done").ok();
        deny("other", "8080").ok();
        assert_eq!(open(), [true, true]);
        // Nobody else puts anything back.
        host.sh("systemctl freeze volt-network.service").ok();
        let before = tables();
        deny("shut", "80").ok();
        assert_eq!((open(), tables()), ([false, false], before.clone()));
        assert_eq!(host.volt(&["firewall", "status", "-o", "json"]).json()["whole"], true);
        // Whatever is in the kernel in the place of what should be, the next change makes it right.
        host.sh("nft flush set bridge volt denied && nft flush set inet volt denied4 && nft flush set inet volt denied6").ok();
        assert_eq!(open(), [true, true]);
        deny("more", "81").ok();
        assert_eq!((open(), tables()), ([false, false], before.clone()));
        host.volt(&["net", "policy", "delete", "shut"]).ok();
        assert_eq!((open(), tables()), ([true, true], before.clone()));
        assert_eq!(host.volt(&["firewall", "status", "-o", "json"]).json()["whole"], true);
        // One that is asked for anew is rendered whole.
        host.volt(&["firewall", "reload"]).ok();
        assert_ne!(tables(), before);
        host.sh("systemctl thaw volt-network.service && volt net policy delete other more && volt delete --force pair1 pair2 && volt net delete polp").ok();
        assert_eq!(host.volt(&["system", "check", "-o", "json"]).json()["findings"], serde_json::json!([]));
    }
}
