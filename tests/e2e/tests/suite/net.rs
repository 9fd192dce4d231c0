//! Networks: bridges, addresses, who reaches whom. All by traffic; no test reads the text of a rule.

use super::container_boot::is_up;
use std::time::Duration;
use volt_e2e::{Host, on_hosts, xtask};

/// A page that says its container's name.
pub(super) const SERVE: &str =
    "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 80 -h /www";

/// Runs a container that serves its name.
pub(super) fn serve(host: &Host, name: &str, flags: &str) {
    host.sh(&format!("volt run -d --name {name} {flags} tiny sh -c '{SERVE}'")).ok();
}

/// A ping from the network of a container, by the host's tool: that of the image needs rights that nobody inside has.
fn ping(name: &str) -> String {
    format!("ip netns exec volt-{name} ping -c 1 -W 2")
}

/// Whether the page of `name` is had at this address, from a container or, without one, from the host.
pub(super) fn reaches(host: &Host, from: Option<&str>, address: &str, name: &str) -> bool {
    // busybox has no time-out for the connection alone; and on a slow machine `volt exec` may take longer than that.
    let line = match from {
        Some(from) => format!("volt exec {from} timeout 4 wget -q -O - http://{address}/"),
        None => format!("timeout 4 busybox wget -q -O - http://{address}/"),
    };
    host.sh(&line).stdout.trim() == name
}

/// The first address of a container, and its IPv6 one.
pub(super) fn address(host: &Host, name: &str) -> (String, String) {
    let seen = host.volt(&["container", "inspect", name, "-o", "json"]).json();
    let first = &seen["connections"][0];
    (
        first["ip"].as_str().unwrap().to_owned(),
        first["ipv6"].as_str().unwrap_or_default().to_owned(),
    )
}

on_hosts! {
    fn net_create_list_inspect_delete(host) {
        host.tiny();
        host.sh("volt net delete life 2>/dev/null; volt net delete lifetoo 2>/dev/null; true").ok();
        host.sh("volt net create --subnet 10.77.0.0/24 --ipv6 fd77::/64 --label a=b --mtu 1400 life").ok();
        host.sh("ip -o addr show volt-life | grep -q 10.77.0.1/24 && ip -o addr show volt-life | grep -q fd77::1/64").ok();
        let seen = host.volt(&["net", "inspect", "life", "-o", "json"]).json();
        assert_eq!((seen["gateway"].as_str(), seen["up"].as_bool()), (Some("10.77.0.1"), Some(true)), "{seen}");
        assert!(host.volt(&["net", "list", "-o", "name"]).ok().lines().any(|name| name == "life"));
        for (words, code, said) in [
            ("create life", 4, "life"),
            ("create --subnet 10.77.0.128/25 lifetoo", 9, "life"),
            ("create --subnet 10.0.0.0/8 lifetoo", 9, "overlaps"),
            ("create --subnet 10.99.1.0/24 --ipv6 fd77::/48 lifetoo", 9, "life"),
            ("create --subnet 10.99.0.1/24 lifetoo", 2, "10.99.0.0/24"),
            ("create --subnet nonsense lifetoo", 2, "subnet"),
            ("create --mtu 100 lifetoo", 2, "1280"),
            ("create host", 2, "host"),
            ("inspect nowhere", 3, "nowhere"),
            ("delete nowhere", 3, "nowhere"),
            ("connect life nobody", 3, "nobody"),
            ("disconnect life nobody", 3, "nobody"),
            ("status nowhere", 3, "nowhere"),
        ] {
            let error = host.sh(&format!("volt net {words}")).fails(code);
            assert!(error.contains(said), "{words}: {error}");
        }
        // Where the host sends packets already, nobody may be.
        host.sh("ip link add taken type bridge && ip link set taken up && ip addr add 10.98.0.1/16 dev taken").ok();
        let error = host.sh("volt net create --subnet 10.98.7.0/24 lifetoo").fails(9);
        assert!(error.contains("taken"), "{error}");
        host.sh("ip link delete taken && ip link add lone type bridge && ip link set lone up && ip addr add 10.98.7.7/32 dev lone").ok();
        let error = host.sh("volt net create --subnet 10.98.7.0/24 lifetoo").fails(9);
        assert!(error.contains("lone"), "{error}");
        host.sh("ip link delete lone").ok();
        // The same by IPv6: a route alone, and an address alone.
        host.sh("ip link add taken type bridge && ip link set taken up && ip -6 route add fd98::/48 dev taken").ok();
        host.sh("ip link add lone type bridge && ip link set lone up && ip addr add fd97::7/128 nodad dev lone").ok();
        for (subnet, by) in [("fd98:0:0:7::/64", "taken"), ("fd98::/32", "taken"), ("fd97::/64", "lone")] {
            let error = host.sh(&format!("volt net create --subnet 10.98.7.0/24 --ipv6 {subnet} lifetoo")).fails(9);
            assert!(error.contains(by), "{subnet}: {error}");
        }
        host.sh("ip link delete taken && ip link delete lone").ok();
        host.sh("volt net create --subnet 10.98.7.0/24 --ipv6 fd98:0:0:7::/64 lifetoo && volt net delete lifetoo").ok();
        // Without a subnet a free one is found: one that no other table of the host's leads to, nor any to nowhere.
        let free = || host.sh("volt net create lifetoo > /dev/null && volt net inspect lifetoo -o json && volt net delete lifetoo > /dev/null").json()["subnet"].as_str().unwrap().to_owned();
        let first = free();
        host.sh(&format!("ip link add taken type bridge && ip link set taken up && ip rule add lookup 52 pref 5270 && ip route add {first} dev taken table 52")).ok();
        let second = free();
        host.sh(&format!("ip route add blackhole {second}")).ok();
        let third = free();
        assert!(first != second && second != third && third != first, "{first} {second} {third}");
        for subnet in [&first, &second] {
            assert!(host.sh(&format!("volt net create --subnet {subnet} lifetoo")).fails(9).contains("overlaps"), "{subnet}");
        }
        host.sh(&format!("ip route delete blackhole {second}; ip rule delete pref 5270; ip link delete taken")).ok();
        let _guard = host.container("lifer");
        assert_eq!(host.sh("volt run --name lifer --network life tiny cat /sys/class/net/eth0/mtu /sys/class/net/lo/mtu").ok(), "1400\n65536");
        assert_eq!(host.sh("cat /sys/class/net/volt-life/mtu").ok(), "1400");
        assert!(host.sh("volt net delete life").fails(9).contains("lifer"));
        host.sh("volt container delete lifer && volt net delete life").ok();
        host.sh("! ip link show volt-life").ok();
        host.sh("volt net inspect life").fails(3);
    }
}

on_hosts! {
    fn net_members_reach_each_other_by_addresses_that_stay(host) {
        host.tiny();
        let _guards = ["neta", "netb", "netc"].map(|name| host.container(name));
        host.sh("volt net delete mem 2>/dev/null; volt net create --subnet 10.76.0.0/24 --ipv6 fd76::/64 mem").ok();
        serve(host, "neta", "--network mem");
        serve(host, "netb", "--network mem --ip 10.76.0.40");
        let (a, a6) = address(host, "neta");
        assert_eq!(address(host, "netb"), ("10.76.0.40".into(), "fd76::28".into()));
        for (from, to, name) in [
            (Some("netb"), a.clone(), "neta"),
            (Some("netb"), format!("[{a6}]"), "neta"),
            (Some("neta"), "10.76.0.40".into(), "netb"),
            (None, a.clone(), "neta"),
            (None, format!("[{a6}]"), "neta"),
        ] {
            assert!(reaches(host, from, &to, name), "{from:?} does not reach {to}");
        }
        host.sh(&format!("{} 10.76.0.1 && {} fd76::1", ping("neta"), ping("neta"))).ok();
        host.sh("volt exec neta grep neta /etc/hosts").ok();
        // Nobody inside can change them.
        assert_ne!(host.sh("volt exec neta ip addr add 10.76.0.99/24 dev eth0").code, 0);
        let mac = || host.sh("volt exec neta cat /sys/class/net/eth0/address").ok();
        let first = mac();
        host.sh("volt container restart neta").ok();
        assert_eq!((address(host, "neta").0, mac()), (a.clone(), first));
        // By systemd alone, too.
        host.sh("systemctl restart volt-container@neta").ok();
        assert!(reaches(host, Some("netb"), &a, "neta"));
        assert!(host.sh("volt run --name netc --network mem --ip 10.76.0.40 tiny true").fails(9).contains("netb"));
        host.sh("volt run --name netc --network mem --ip 10.75.0.4 tiny true").fails(2);
        // It stays the name's while others are free.
        host.sh("volt delete --force neta").ok();
        serve(host, "netc", "--network mem");
        serve(host, "neta", "--network mem");
        assert_eq!(address(host, "neta").0, a);
        let seen = host.volt(&["net", "status", "mem", "-o", "json"]).json();
        assert_eq!(seen.as_array().unwrap().len(), 3, "{seen}");
        assert!(seen.as_array().unwrap().iter().all(|c| c["up"] == true), "{seen}");
        host.sh("volt delete --force neta netb netc && volt net delete mem").ok();
        host.sh("! ip link | grep -e 76_ -e volt-mem").ok();
    }
}

on_hosts! {
    fn net_full_subnet_is_told_with_its_size(host) {
        host.tiny();
        let _guards = ["full1", "full2"].map(|name| host.container(name));
        host.sh("volt net delete full 2>/dev/null; volt net create --subnet 10.75.0.0/30 full").ok();
        host.sh("volt container create --name full1 --network full tiny true").ok();
        assert!(host.sh("volt container create --name full2 --network full tiny true").fails(11).contains("All 1 addresses"));
        host.volt(&["container", "inspect", "full2"]).fails(3);
        host.sh("volt delete full1 && volt container create --name full2 --network full tiny true").ok();
        host.sh("volt delete full2 && volt net delete full").ok();
    }
}

on_hosts! {
    fn net_connect_disconnect_while_it_runs(host) {
        host.tiny();
        let _guards = ["con1", "con2"].map(|name| host.container(name));
        host.sh("for n in cona conb; do volt net delete $n 2>/dev/null; volt net create $n; done").ok();
        serve(host, "con1", "--network cona");
        host.sh("volt run -d --name con2 --network none tiny sleep 1000").ok();
        let (one, _) = address(host, "con1");
        assert!(!reaches(host, Some("con2"), &one, "con1"));
        host.sh("! volt exec con2 grep nameserver /etc/resolv.conf; volt net connect cona con2").ok();
        assert!(reaches(host, Some("con2"), &one, "con1"));
        // It has at once what it would have had from its start: names, its own name, the way out.
        assert!(reaches(host, Some("con2"), "con1.cona", "con1"));
        let own = address(host, "con2").0;
        host.sh(&format!("volt exec con2 grep '{own} con2' /etc/hosts")).ok();
        let way = |network: &str| {
            let gateway = host.volt(&["net", "inspect", network, "-o", "json"]).json()["gateway"].as_str().unwrap().to_owned();
            assert!(host.sh("ip -n volt-con2 route show default").ok().starts_with(&format!("default via {gateway} ")), "{network}");
        };
        way("cona");
        host.sh("volt net connect cona con2").fails(9);
        // A second network, and the first taken away: it goes on by the other.
        host.sh("volt net connect conb con1 && volt net connect conb con2").ok();
        way("cona");
        host.sh("volt net disconnect cona con2").ok();
        way("conb");
        assert!(reaches(host, Some("con2"), "con1.conb", "con1"));
        assert!(!reaches(host, Some("con2"), &one, "con1"), "networks are not apart");
        let seen = host.volt(&["container", "inspect", "con1", "-o", "json"]).json();
        let second = seen["connections"][1]["ip"].as_str().unwrap().to_owned();
        assert_eq!(seen["network"], "cona,conb");
        assert!(reaches(host, Some("con2"), &second, "con1"));
        host.sh("volt net disconnect cona con2").fails(3);
        host.sh("volt container restart con2").ok();
        assert!(reaches(host, Some("con2"), &second, "con1"));
        way("conb");
        // Which comes and goes while runs of it end and begin: nothing is left, and it is as its record says.
        host.sh("( for i in 1 2 3 4 5 6; do volt net connect cona con2; volt net disconnect cona con2; done ) >/dev/null 2>&1 & \
            for i in 1 2 3 4; do systemctl restart volt-container@con2; sleep 0.1; done; wait").ok();
        host.sh("volt net disconnect cona con2 2>/dev/null; volt start con2").ok();
        assert_eq!(host.sh("ip -n volt-con2 -o link | grep -c eth").ok().trim(), "1");
        assert!(reaches(host, Some("con2"), &second, "con1"));
        host.sh("volt container rename con2 con3").fails(9);
        host.sh("volt stop con2 && volt container rename con2 con3 && volt start con3").ok();
        let _third = host.container_as_it_is("con3");
        assert!(reaches(host, Some("con3"), &second, "con1"));
        host.sh("volt delete --force con1 con3 && volt net delete cona conb").ok();
        host.sh("volt run --rm --network host --network cona tiny true").fails(2);
    }
}

/// Two namespaces, each with an end of a pair; the other is the host's.
const ENDS: &str = "for n in 1 2; do ip netns add lan$n; ip link add lan-p$n type veth peer name eth0 netns lan$n; \
    ip -n lan$n addr add 10.69.0.$n/24 dev eth0; ip -n lan$n link set eth0 up; done";

on_hosts! {
    fn net_bridge_connects_what_is_plugged_in(host) {
        let clear = "volt net bridge delete lan0; volt net delete lannet; for n in 1 2 3; do ip link delete lan-p$n; ip netns delete lan$n; done";
        host.sh(&format!("{{ {clear}; }} > /dev/null 2>&1; {ENDS} && volt net create lannet")).ok();
        host.sh("volt net bridge create --port lan-p1 --port lan-p2 --mtu 1400 lan0").ok();
        let reached = "ip netns exec lan1 ping -c 1 -W 1 10.69.0.2";
        host.until(Duration::from_secs(10), reached);
        let seen = host.volt(&["net", "bridge", "list", "-o", "json"]).json();
        let one = |name: &str| seen.as_array().unwrap().iter().find(|b| b["name"] == name).unwrap().clone();
        let own = one("lan0");
        assert_eq!((own["up"].as_bool(), own["mtu"].as_u64(), own["ports"].to_string().as_str()), (Some(true), Some(1400), r#"["lan-p1","lan-p2"]"#));
        assert_eq!(one("volt-lannet")["network"], "lannet");
        host.sh("ip link add lan-p3 type veth peer name lan-q3 && ip link set lan-p3 master lan0").ok();
        for (words, code, said) in [
            ("create lan0", 4, "lan0"),
            ("create lan-p1", 9, "interface lan-p1"),
            ("create volt-lan1", 2, "networks"),
            ("create longer-than-it-may-be", 2, "15"),
            ("create --mtu 100 lan1", 2, "1280"),
            ("create --port a/b lan1", 2, "a/b"),
            ("create --port nowhere lan1", 3, "nowhere"),
            ("create --port lan-p1 lan1", 9, "lan-p1"),
            ("create --port volt-lannet lan1", 9, "volt-lannet"),
            ("delete nowhere", 3, "nowhere"),
            ("delete volt-lannet", 9, "volt net delete lannet"),
            ("delete lan0", 9, "lan-p3"),
        ] {
            let error = host.sh(&format!("volt net bridge {words}")).fails(code);
            assert!(error.contains(said), "{words}: {error}");
        }
        // Another program's doing does not last, and is told.
        host.sh("systemctl stop lan-told 2>/dev/null; rm -f /run/lan-told; systemd-run --quiet --collect --unit=lan-told --property=StandardOutput=append:/run/lan-told volt events -o json").ok();
        host.until(Duration::from_secs(10), "volt net create lanheard >/dev/null 2>&1; volt net delete lanheard; grep -q lanheard /run/lan-told");
        for (broken, lost) in [("ip link delete lan0", "lan0"), ("ip link set lan-p1 nomaster", "lan-p1")] {
            host.sh(&format!(": > /run/lan-told; {broken}")).ok();
            host.until(Duration::from_secs(10), reached);
            host.until(Duration::from_secs(10), &format!("grep restored /run/lan-told | grep '\"bridge\"' | grep '\"{lost}\"'"));
        }
        host.sh("systemctl stop lan-told").ok();
        host.sh("volt net bridge delete lan0 && volt net delete lannet && ! ip link show lan0 && ip link show lan-p1 && ip link delete lan-p3").ok();
        host.sh("for n in 1 2; do ip link delete lan-p$n; ip netns delete lan$n; done").ok();
    }
}

/// Says by ARP and by IPv6 to all that addresses are its own, and that it is the router.
const CLAIM: &str = r#"
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac = s.getsockname()[4]
own = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
link = b"\xfe\x80" + bytes(6) + own
ip = socket.inet_aton(sys.argv[1])
s.send(b"\xff" * 6 + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + mac + ip + b"\xff" * 6 + ip)
everybody = b"\xff\x02" + bytes(13) + b"\x01"
option = bytes([2, 1]) + mac
def send(source, body):
    head = source + everybody
    words = head + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack("!%dH" % (len(words) // 2), words))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]
    s.send(b"\x33\x33\0\0\0\x01" + mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + head + body)
target = socket.inet_pton(socket.AF_INET6, sys.argv[2])
send(link, b"\x88\0\0\0" + b"\x20\0\0\0" + target + option)
send(target, b"\x88\0\0\0" + b"\x20\0\0\0" + target + option)
send(link, b"\x86\0\0\0" + b"\x40\0\x07\x08" + bytes(8) + bytes([1, 1]) + mac)
"#;

/// Who is on an internal network gets nowhere, also where root of the host gives him routes: they lead others where they wish.
fn internal_stays_internal(host: &Host, other: &Host) {
    serve(host, "shown", "--network volt0 -p 8088:80");
    // Whatever came to the second host by itself would find its way back.
    other
        .sh("ip route add 10.73.0.0/24 via 10.200.0.1 && ip -6 route add fd73::/64 via fd20::1")
        .ok();
    let ways = |name: &str, four: &str, six: &str| {
        host.sh(&format!("ip -n volt-{name} route replace default via {four} && ip -n volt-{name} -6 route replace default via {six}")).ok();
    };
    let no_ways = |name: &str| {
        host.sh(&format!("ip -n volt-{name} route del default; ip -n volt-{name} -6 route del default; ! ip -n volt-{name} route get 10.200.0.2 && ! ip -n volt-{name} -6 route get fd20::2")).ok();
    };
    // Which of these pages he gets. All at once: a time-out is what nearly each is to end with.
    let gets = |name: &str, pages: &[&str]| {
        let each = pages.iter().map(|to| format!("(timeout 4 ip netns exec volt-{name} busybox wget -q -O /dev/null 'http://{to}' 2> /dev/null && echo '{to}') &"));
        let said = host.sh(&format!("{} wait", each.collect::<String>())).ok();
        let mut got: Vec<String> = said.lines().map(str::to_owned).collect();
        got.sort_unstable();
        got
    };
    let (shown, shown6) = address(host, "shown");
    let shown6 = format!("[{shown6}]");
    let cell = address(host, "cell1").0;
    // Those that the host's ways lead to: a page of another host, a published port, a member of another network.
    let mut pages = [
        "10.200.0.2/cgi-bin/who",
        "[fd20::2]/cgi-bin/who",
        "10.200.0.1:8088",
        "[fd20::1]:8088",
        &shown,
        &shown6,
    ];
    pages.sort_unstable();
    // A plain network: by the same routes he gets there, and without them not.
    no_ways("six");
    let volt0 = host.volt(&["net", "inspect", "volt0", "-o", "json"]).json();
    let gateway = |key: &str| volt0[key].as_str().unwrap_or_else(|| panic!("{volt0}")).to_owned();
    assert_eq!(gets("six", &pages[..]), [&*shown, &*shown6], "without a route");
    ways("six", &gateway("gateway"), &gateway("gateway_ipv6"));
    assert_eq!(gets("six", &pages), pages);
    ways("safe1", "10.73.0.1", "fd73::1");
    for gateway in ["10.73.0.1", "fd73::1"] {
        host.sh(&format!("ip netns exec volt-safe1 ping -c 1 -W 2 {gateway}")).ok();
    }
    assert_eq!(gets("safe1", &pages), [""; 0]);
    assert_eq!(
        gets("safe1", &[&cell, "10.73.0.1:8088", "[fd73::1]:8088", "10.0.0.1:8088"]),
        [""; 0]
    );
    no_ways("safe1");
    host.sh("volt delete --force shown").ok();
}

on_hosts! {
    fn net_isolated_internal_and_honest(host) {
        let host = host.private("nets");
        host.tiny();
        host.sh("volt net create --isolate --subnet 10.74.0.0/24 cells && volt net create --internal --subnet 10.73.0.0/24 --ipv6 fd73::/64 vault").ok();
        serve(&host, "cell1", "--network cells");
        serve(&host, "cell2", "--network cells");
        serve(&host, "safe1", "--network vault");
        serve(&host, "safe2", "--network vault");
        let at = |name: &str| address(&host, name).0;
        assert!(!reaches(&host, Some("cell1"), &at("cell2"), "cell2"));
        assert!(reaches(&host, None, &at("cell2"), "cell2"));
        // Also where somebody takes away what keeps the ports apart.
        host.sh("for port in $(ip -o link | grep -o 'vo-cel[^@:]*'); do bridge link set dev $port isolated off; done").ok();
        host.until(Duration::from_secs(10), "test $(bridge -d link show | grep -A3 vo-cel | grep -c 'isolated on') = 2");
        assert!(!reaches(&host, Some("cell1"), &at("cell2"), "cell2") && !reaches(&host, Some("cell2"), &at("cell1"), "cell1"));
        // Nor by way of the host. Who is called as the network is reached as any other.
        host.sh(&format!("ip -n volt-cell1 route add {}/32 via 10.74.0.1", at("cell2"))).ok();
        assert_ne!(host.sh(&format!("{} {}", ping("cell1"), at("cell2"))).code, 0);
        host.sh(&format!("{} 10.74.0.1", ping("cell1"))).ok();
        serve(&host, "cells", "--network cells");
        assert!(reaches(&host, None, &at("cells"), "cells"));
        assert!(reaches(&host, Some("safe1"), &at("safe2"), "safe2"));
        assert!(!reaches(&host, Some("safe1"), &at("cell1"), "cell1"));
        assert!(!reaches(&host, Some("cell1"), &at("safe1"), "safe1"));
        // A second host beyond: one goes out by the first host's address, the other nowhere.
        let other = host.private("far");
        xtask(&["host", "link", &format!("{}:wan=10.200.0.1/24", host.name()), &format!("{}:wan=10.200.0.2/24", other.name())]);
        other.sh("mkdir -p /srv/cgi/cgi-bin && printf '#!/bin/sh\\nprintf \"\\\\n\"; echo $REMOTE_ADDR\\n' > /srv/cgi/cgi-bin/who && chmod +x /srv/cgi/cgi-bin/who && systemd-run --quiet --collect busybox httpd -f -p 80 -h /srv/cgi").ok();
        host.until(Duration::from_secs(20), "busybox wget -q -O - http://10.200.0.2/cgi-bin/who");
        let seen = host.sh("volt exec cell1 wget -q -O - http://10.200.0.2/cgi-bin/who").ok();
        assert!(seen.contains("10.200.0.1"), "{seen}");
        // By IPv6 too.
        host.sh("ip addr add fd20::1/64 nodad dev wan").ok();
        other.sh("ip addr add fd20::2/64 nodad dev wan").ok();
        serve(&host, "six", "--network volt0");
        let seen = host.sh("volt exec six wget -q -O - 'http://[fd20::2]/cgi-bin/who'").ok();
        assert!(seen.contains("fd20::1"), "{seen}");
        assert!(!host.sh("timeout 3 volt exec safe1 wget -q -O - http://10.200.0.2/cgi-bin/who").stdout.contains("10."));
        // Nothing of the host's but names, and from outside nobody gets in by a route.
        host.sh("systemd-run --quiet --collect busybox httpd -f -p 81 -h /srv").ok();
        host.until(Duration::from_secs(10), "busybox nc -w 2 10.73.0.1 81 < /dev/null");
        assert_ne!(host.sh("timeout 3 volt exec safe1 nc -w 2 10.73.0.1 81 < /dev/null").code, 0);
        host.sh("timeout 3 volt exec cell1 nc -w 2 10.74.0.1 81 < /dev/null").ok();
        other.sh("ip route add 10.74.0.0/24 via 10.200.0.1").ok();
        assert!(!reaches(&other, None, &at("cell2"), "cell2"));
        internal_stays_internal(&host, &other);
        // Its ports lead in from the host alone.
        assert!(host.sh("volt run --rm --network vault -p 8089:80 tiny true").fails(2).contains("internal"));
        serve(&host, "safe3", "--network vault -p 127.0.0.1:8089:80");
        assert!(reaches(&host, None, "127.0.0.1:8089", "safe3"));
        // Nobody says that another's address is his, nor that he is the router: not even who may send as he likes.
        let (safe2, safe2_ipv6) = address(&host, "safe2");
        host.run_with(&["sh", "-c", "cat > /tmp/claim.py"], CLAIM.as_bytes()).ok();
        let neighbor = |ip: &str| host.sh(&format!("ping -c 1 -W 2 {ip} > /dev/null && ip neigh show {ip} dev volt-vault | grep -o 'lladdr [^ ]*'")).ok();
        let told = [neighbor(&safe2), neighbor(&safe2_ipv6)];
        host.sh(&format!("for i in 1 2 3; do ip netns exec volt-safe1 python3 /tmp/claim.py {safe2} {safe2_ipv6}; done; sleep 0.2")).ok();
        let still = |ip: &str| host.sh(&format!("ip neigh show {ip} dev volt-vault | grep -o 'lladdr [^ ]*'")).ok();
        assert_eq!(told, [still(&safe2), still(&safe2_ipv6)]);
        assert_eq!(host.sh("ip -n volt-safe2 -6 route show default").ok(), "");
        // Nor by what bridges tell each other, which goes past the firewall.
        let port_of = |mac: &str| host.sh(&format!("bridge fdb show br volt-vault | grep -i '^{mac} .*master' | grep -v permanent")).stdout;
        let mac = host.sh("ip -n volt-safe2 -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'").ok().trim().to_owned();
        let before = port_of(&mac);
        assert!(before.contains("vo-saf"), "{before}");
        let frame = format!("import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0)); s.send(bytes.fromhex('0180c200000e' + '{mac}'.replace(':', '') + '88cc') + bytes(50))");
        host.sh(&format!("ip netns exec volt-safe1 python3 -c \"{frame}\"")).ok();
        assert_eq!(port_of(&mac), before);
        // Whoever sends as somebody else is not heard: root of the host tries it in the member's own namespace.
        let heard = "ping -c 1 -W 1";
        host.sh(&format!("ip netns exec volt-safe1 {heard} 10.73.0.1 && ip netns exec volt-safe1 {heard} fd73::1")).ok();
        host.sh("ip -n volt-safe1 addr add 10.73.0.200/24 dev eth0 && ip -n volt-safe1 addr add fd73::c8/64 nodad dev eth0").ok();
        for spoofed in ["-I 10.73.0.200 10.73.0.1", "-I fd73::c8 fd73::1"] {
            assert_ne!(host.sh(&format!("ip netns exec volt-safe1 {heard} {spoofed}")).code, 0, "{spoofed}");
        }
        host.sh("ip -n volt-safe1 link set eth0 address 02:00:00:00:00:77").ok();
        assert_ne!(host.sh(&format!("ip netns exec volt-safe1 {heard} 10.73.0.1")).code, 0);
    }
}

/// Writes down what there is of a bridge when the firewall is told something, and tells it.
const NFT: &str = "#!/bin/sh
ip -br link show volt-early >> /run/early 2>&1
exec /usr/sbin/nft \"$@\"
";

on_hosts! {
    fn net_what_others_break_is_found_and_mended(host) {
        let host = host.private("mend");
        host.tiny();
        // A network's rules are there before its bridge is.
        host.run_with(&["sh", "-c", "cat > /usr/local/sbin/nft && chmod +x /usr/local/sbin/nft"], NFT.as_bytes()).ok();
        host.sh("volt net create early && rm /usr/local/sbin/nft && volt net delete early").ok();
        let seen = host.sh("head -n 1 /run/early").ok();
        assert!(seen.contains("does not exist"), "{seen}");
        // Somebody else's rules are nobody else's business.
        host.sh("for f in inet ip bridge; do echo \"table $f theirs { set few { type ether_addr; elements = { 02:00:00:00:00:09 }; }; chain own { type filter hook input priority 5; tcp dport 99 counter accept; }; }\"; done > /root/theirs && nft -f /root/theirs").ok();
        // Of the tables' own numbers none comes twice.
        let theirs = || host.sh("for f in inet ip bridge; do nft -s -a list table $f theirs | grep -v ^table; done").ok();
        let before = theirs();
        serve(&host, "kept", "--network volt0");
        host.sh("volt run -d --name other --network volt0 tiny sleep 1000").ok();
        let (ip, _) = address(&host, "kept");
        host.sh("volt system check && systemctl is-active volt-network.service").ok();
        // By itself within seconds, and where nobody watches by the command.
        host.sh("systemd-run --quiet --collect --unit=listener --property=StandardOutput=append:/run/told volt events --kind network -o json").ok();
        host.until(Duration::from_secs(10), "volt net create heard >/dev/null 2>&1; volt net delete heard; grep -q heard /run/told");
        for (broken, lost) in [
            ("ip link delete volt0", "bridge volt0"),
            ("nft flush ruleset && nft -f /root/theirs", "firewall"),
            ("nft flush chain bridge volt prerouting", "firewall"),
            ("nft 'chain inet volt forward { policy drop; }'", "firewall"),
            ("nft replace rule bridge volt prerouting handle $(nft -a list chain bridge volt prerouting | tail -n 3 | grep -o '[0-9]*$') accept", "firewall"),
            ("nft flush set bridge volt own4", "firewall"),
            ("ip addr flush dev volt0", "address 10.0.0.1/24"),
            ("echo 0 > /proc/sys/net/ipv4/ip_forward", "forwarding"),
            ("ip link delete $(ip -o link | grep -o 'vo-kep[^@:]*')", "port vo-kep"),
        ] {
            host.sh(&format!(": > /run/told; {broken}")).ok();
            host.until(Duration::from_secs(10), &format!("grep restored /run/told | grep '{lost}' && volt system check && timeout 2 volt exec other wget -q -O - http://{ip}/"));
        }
        // What can't be put back keeps nobody from putting back the rest.
        host.sh("volt net create --subnet 10.69.0.0/24 blind && ip link delete volt-blind && ip link add volt-blind type bridge && sleep 15").ok();
        host.sh(": > /run/told; nft flush ruleset && nft -f /root/theirs").ok();
        host.until(Duration::from_secs(5), "nft list chain bridge volt prerouting && grep restored /run/told | grep firewall");
        host.sh("ip link delete volt-blind").ok();
        host.until(Duration::from_secs(70), "ip -o addr show dev volt-blind | grep -q 10.69.0.1");
        host.sh("volt net delete blind").ok();
        host.sh("systemctl stop listener.service && systemctl mask --now volt-network.service").ok();
        for (broken, said) in [
            ("ip link delete volt0", "bridge"),
            ("nft delete table bridge volt", "tables"),
            ("nft delete table inet volt", "tables"),
            ("nft flush set bridge volt own", "tables"),
            ("nft flush table inet volt", "tables"),
            ("ip addr flush dev volt0", "address"),
            ("echo 0 > /proc/sys/net/ipv4/ip_forward", "forwarding"),
            ("ip link delete $(ip -o link | grep -o 'vo-kep[^@:]*')", "port"),
        ] {
            host.sh(broken).ok();
            let check = host.volt(&["system", "check"]);
            assert!(check.code == 1 && check.stdout.contains(said), "{broken}: {check:?}");
            host.sh("volt system check --repair && volt system check").ok();
            assert!(reaches(&host, Some("other"), &ip, "kept"), "{broken}");
        }
        // A network of which nobody can say what it is to be stays as shut as it is.
        host.sh("volt net create --internal --subnet 10.71.0.0/24 vault && volt run -d --name shut --network vault tiny sleep 1000").ok();
        let record = "/var/lib/volt/networks/vault.json";
        host.sh(&format!("cp {record} /root/vault && echo nonsense > {record}")).ok();
        assert!(host.sh("volt net create more").fails(12).contains("vault"));
        host.sh("volt stop kept && volt start kept").ok();
        assert!(!reaches(&host, Some("shut"), &ip, "kept") && reaches(&host, Some("other"), &ip, "kept"));
        host.sh("volt system check").fails(1);
        host.sh(&format!("cp /root/vault {record} && volt delete --force shut && volt net delete vault && volt system check")).ok();
        // Without its namespace a container is on no network, whatever is written down.
        host.sh("ip netns delete volt-other").ok();
        let check = host.volt(&["system", "check"]);
        assert!(check.code == 1 && check.stdout.contains("namespace is gone"), "{check:?}");
        // The namespace itself comes back with its next run alone.
        let check = host.volt(&["system", "check", "--repair"]);
        assert!(check.code == 1 && check.stdout.contains("restart other"), "{check:?}");
        host.sh("! test -e /run/volt/networks/other.json && volt restart -t 1 other && volt system check").ok();
        // What is nobody's.
        host.sh("volt net create --subnet 10.69.0.0/24 gone && mac=$(ip -o link show volt-gone | sed 's/.*ether \\([^ ]*\\).*/\\1/') && \
            volt net delete gone && ip link add volt-gone address $mac type bridge && ip link add vo-xyz_00000000 type bridge").ok();
        host.sh("volt system check").fails(1);
        host.sh("volt system check --repair && ! ip link show volt-gone && ! ip link show vo-xyz_00000000").ok();
        // What another program has made is that program's, whatever it is called.
        for kind in ["bridge", "veth peer name theirs-end"] {
            host.sh(&format!("ip link add volt-theirs type {kind} && volt system check")).ok();
            let error = host.sh("volt net create --subnet 10.69.0.0/24 theirs").fails(9);
            assert!(error.contains("volt-theirs"), "{error}");
            host.sh("volt system check --repair; ip link delete volt-theirs && ! volt net inspect theirs").ok();
        }
        assert_eq!(theirs(), before);
        // Nothing of Volt's needs to run for what is connected.
        assert!(reaches(&host, Some("other"), &ip, "kept"));
        host.sh("systemctl unmask volt-network.service").ok();
        host.reboot();
        host.sh("ip addr show volt0 && volt start kept other").ok();
        assert!(reaches(&host, Some("other"), &ip, "kept"));
        assert_eq!(address(&host, "kept").0, ip);
        host.sh("volt delete --force kept other && volt net delete volt0 && ! nft list table inet volt && volt system check").ok();
    }
}

/// What some people ($2) do at once with containers ($1) of one network, each so often ($3) or for so many seconds ($4); how each command
/// ended, and what was said by those that failed otherwise than by somebody else's doing.
const CHURN: &str = "end=$(($(date +%s) + $4)); r() { echo $(($(od -An -N2 -tu2 /dev/urandom) % $1)); }
t() { what=$1; shift; said=$(\"$@\" 2>&1 >/dev/null); code=$?; echo $what $code >> /run/churn.ended
    case $code in 0|3|4|9) ;; *) echo \"$* ended with $code: $said\" >> /run/churn.failed;; esac; return $code; }
for p in $(seq $2); do ( i=0; while test $i -lt $3 -o $(date +%s) -lt $end; do i=$((i+1)); n=$(r $1); case $(r 6) in
    0) t stop volt stop -t 1 churn$n;;
    1) t delete volt delete --force churn$n; t create volt container create --name churn$n --network churn tiny sleep 100000;;
    2) t run volt run --rm --network churn --network volt0 tiny true;;
    3) t connect volt net connect volt0 churn$n || t disconnect volt net disconnect volt0 churn$n;;
    *) if systemctl is-active --quiet volt-container@churn$n; then t again volt start churn$n; else t start volt start churn$n; fi;;
esac; done ) >/dev/null 2>&1 & done; wait";

/// Looks all the time which addresses are held by more than one, and writes down those that are so in two looks that follow each other: one
/// look takes a while, in which an address may rightly pass from hand to hand.
const WATCH: &str = "cd /run; : > churn.last; : > churn.twice; : > churn.looks; while true; do
    for n in netns/volt-*; do echo of ${n##*/}; ip -n ${n##*/} -o addr show scope global 2> /dev/null; done |
        awk '$1 == \"of\" { who = $2; next } { held[$4] = held[$4] \" \" who; many[$4]++ } END { for (ip in held) if (many[ip] > 1) print ip held[ip] }' | sort > churn.now
    comm -12 churn.last churn.now >> churn.twice; mv churn.now churn.last; echo >> churn.looks
done";

on_hosts! {
    fn net_of_a_booted_system_stays(host) {
        host.system();
        let _guard = host.container("booted");
        host.sh("volt net delete bootnet 2>/dev/null; volt net create --subnet 10.66.1.0/24 --ipv6 fd66:1::/64 bootnet").ok();
        host.sh("volt run -d --name booted --network bootnet system").ok();
        let (ip, ipv6) = address(host, "booted");
        let whole = || {
            is_up(host, "booted");
            let inside = |line: &str| host.sh(&format!("ip netns exec volt-booted ip {line}")).ok();
            let (addresses, ways) = (inside("-o addr show dev eth0"), inside("route") + &inside("-6 route"));
            assert!(addresses.contains(&format!("{ip}/24")) && addresses.contains(&format!("{ipv6}/64")), "{addresses}");
            assert!(ways.contains("default via 10.66.1.1") && ways.contains("default via fd66:1::1"), "{ways}");
            assert_eq!(host.volt(&["exec", "booted", "getent", "ahostsv4", "booted.bootnet"]).ok().split(' ').next(), Some(ip.as_str()));
            host.sh("volt exec booted grep -q '^nameserver 10.66.1.1' /etc/resolv.conf").ok();
        };
        whole();
        // Nor does what manages networks inside take it away, or booting again.
        host.sh("volt exec booted systemctl enable --now --quiet systemd-networkd.service").ok();
        whole();
        host.sh("before=$(cut -d' ' -f1 /run/volt/containers/booted/leader); machinectl reboot booted; until now=$(cut -d' ' -f1 /run/volt/containers/booted/leader) && test \"$now\" != $before; do sleep 0.1; done").ok();
        whole();
        host.sh("volt delete --force booted && volt net delete bootnet").ok();
    }
}

/// Every address that some interface in a network namespace has, of both kinds, and every port of a bridge.
const ADDRESSES: &str = "for n in /run/netns/volt-*; do ip -n ${n##*/} -o addr show scope global | awk '{ print $4 }'; done";

/// Many were started, none failed but by what another one did meanwhile, and nobody was seen with another's address.
fn churn_was_one(host: &Host) {
    let ended = host.sh("sort /run/churn.ended | uniq -c").ok();
    let looks = host.sh("wc -l < /run/churn.looks").ok().trim().parse::<usize>().unwrap();
    let counts = ended.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0].parse::<usize>().unwrap(), words[1], words[2])
    });
    let all: usize = counts.clone().map(|(count, ..)| count).sum();
    let ran = counts.filter(|(_, what, code)| matches!(*what, "start" | "run") && *code == "0");
    let ran: usize = ran.map(|(count, ..)| count).sum();
    volt_e2e::tell_soaked(&format!("{all} commands, {ran} starts, {looks} looks\n{ended}"));
    assert!(ran * 10 >= all, "{ran} of {all} commands started something: {ended}");
    assert!(looks >= 5, "{looks} looks");
    assert_eq!(host.sh("cat /run/churn.failed 2> /dev/null").stdout, "", "{ended}");
    assert_eq!(
        host.sh("cat /run/churn.twice").ok(),
        "",
        "the same address, seen twice with several"
    );
}

on_hosts! {
    fn net_churn_leaves_no_address_twice_and_nothing_behind(host) {
        let host = host.private("churn");
        host.tiny();
        let soak = volt_e2e::soak_seconds();
        let (count, people, each, seconds, subnet) = match soak {
            Some(seconds) => (200, 8, 0, seconds, 24),
            None => (12, 4, 20, 0, 27),
        };
        host.sh(&format!("volt net create --subnet 10.72.0.0/{subnet} --ipv6 fd72::/64 churn; for n in $(seq 0 {}); do volt container create --name churn$n --network churn tiny sleep 100000; done", count - 1)).ok();
        host.run_with(&["sh", "-c", "cat > /root/watch.sh"], WATCH.as_bytes()).ok();
        host.sh("systemd-run --quiet --unit=churn-watch sh /root/watch.sh").ok();
        host.until(Duration::from_secs(10), "test -s /run/churn.looks");
        host.run(&["sh", "-c", CHURN, "churn", &count.to_string(), &people.to_string(), &each.to_string(), &seconds.to_string()]).ok();
        host.sh("systemctl is-active churn-watch && systemctl stop churn-watch").ok();
        churn_was_one(&host);
        // What the kernel has, not what is written down.
        let twice = || host.sh(&format!("{ADDRESSES} | sort | uniq -d")).ok();
        assert_eq!(twice(), "");
        host.sh("volt system check").ok();
        host.sh(&format!("for n in $(seq 0 {}); do volt container inspect churn$n >/dev/null 2>&1 || volt container create --name churn$n --network churn tiny sleep 100000; volt start churn$n; done", count - 1)).ok();
        assert_eq!(twice(), "");
        let seen = host.volt(&["net", "inspect", "churn", "-o", "json"]).json();
        let mut ips: Vec<&str> = seen["members"].as_array().unwrap().iter().map(|m| m["ip"].as_str().unwrap()).collect();
        ips.sort_unstable();
        ips.dedup();
        assert_eq!(ips.len(), count, "{seen}");
        let all = host.sh(ADDRESSES).ok();
        for ip in ips {
            assert!(all.lines().any(|line| line.starts_with(&format!("{ip}/"))), "nobody has {ip}: {all}");
        }
        for n in (1..count).step_by(count / 11) {
            let (ip, ipv6) = address(&host, &format!("churn{n}"));
            host.sh(&format!("{} {ip} && {} {ipv6}", ping("churn0"), ping("churn0"))).ok();
        }
        host.sh("volt system check && volt delete --force $(volt ps -a -o name) && volt net delete churn && ! ip link | grep vo- && test -z \"$(ls /run/netns)$(ls /run/volt/networks)\" && volt system check").ok();
    }
}
