//! TAPs, and addresses by DHCP: what a virtual machine has of a network.

use super::net::{SERVE, reaches, serve};
use std::time::Duration;
use volt_e2e::{Host, on_hosts};

/// A machine: its network card is a TAP in a namespace of its own, and this passes frames between that and the host's, as a hypervisor does.
const MACHINE: &str = r#"
my ($port, $space, $mac) = @ARGV;
sub tap {
    open(my $file, "+<", "/dev/net/tun") or die "tun: $!";
    # TUNSETIFF with IFF_TAP | IFF_NO_PI.
    ioctl($file, 0x400454ca, pack("a16 S x22", $_[0], 0x1002)) or die "$_[0]: $!";
    return $file;
}
my $host = tap($port);
open(my $net, "<", "/run/netns/$space") or die "$space: $!";
syscall(308, fileno($net), 0x40000000) == 0 or die "setns: $!";
my $card = tap("eth0");
system("ip link set eth0 address $mac up") == 0 or die;
my %other = (fileno($host), $card, fileno($card), $host);
while (1) {
    my $ready = "";
    vec($ready, $_, 1) = 1 for keys %other;
    select($ready, undef, undef, undef);
    for my $from ($host, $card) {
        next unless vec($ready, fileno($from), 1);
        my $count = sysread($from, my $frame, 65536) or die "gone: $!";
        syswrite($other{fileno($from)}, $frame);
    }
}
"#;

/// What busybox does with what it was told.
const TOLD: &str = r#"#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace $ip/$mask dev $interface
[ -z "$router" ] || ip route replace default via $router
echo "$ip/$mask by $router, names by $dns" > "$0.said"
"#;

/// Asks by DHCP for an IPv6 address, as RFC 8415 says: what is offered is asked for, and what is given is said.
const ASK_SIX: &str = r#"
import socket, sys, time
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
card = socket.if_nametoindex("eth0")
s.bind(("::", 546, 0, card))
s.settimeout(1)
def option(kind, body):
    return kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
def options(body):
    found = {}
    while body:
        end = 4 + int.from_bytes(body[2:4], "big")
        found[int.from_bytes(body[:2], "big")] = body[4:end]
        body = body[end:]
    return found
def ask(kind, wanted, more):
    # Who asks, by his hardware address; an address of his own; who knows names; for how long he has been asking.
    body = option(1, b"\0\3\0\1" + mac) + option(3, b"\0\0\0\7" + bytes(8)) + option(6, b"\0\x17") + option(8, b"\0\0") + more
    for _ in range(15):
        try:
            s.sendto(bytes([kind, 0, 0, kind]) + body, ("ff02::1:2", 547, 0, card))
            while True:
                answer = s.recv(4096)
                if answer[:4] == bytes([wanted, 0, 0, kind]):
                    return options(answer[4:])
        except TimeoutError:
            pass
        except OSError:
            # Its own address is still looked for at others.
            time.sleep(0.5)
    sys.exit("nobody answers")
offered = ask(1, 2, b"")
given = ask(3, 7, option(2, offered[2]))
text = lambda ip: socket.inet_ntop(socket.AF_INET6, ip)
names = given.get(23, b"")
print(text(options(given[3][12:])[5][:16]), "names by", *(text(names[i:i + 16]) for i in range(0, len(names), 16)))
"#;

/// Asks for an address in a machine, and shows what was told.
fn ask(name: &str) -> String {
    format!(
        "rm -f /tmp/{name}.sh.said; ip netns exec {name} busybox udhcpc -i eth0 -n -q -f -t 4 -T 1 -s /tmp/{name}.sh 2>&1; cat /tmp/{name}.sh.said"
    )
}

/// Starts a machine at a TAP; whatever is left of one of this name goes first.
fn machine(host: &Host, name: &str, tap: &serde_json::Value) {
    let write = |file: &str, text: &str| {
        let line = format!("cat > /tmp/{name}.{file} && chmod 755 /tmp/{name}.{file}");
        host.run_with(&["sh", "-c", &line], text.as_bytes()).ok();
    };
    write("pl", MACHINE);
    write("sh", TOLD);
    host.sh(&format!("{}; ip netns add {name}", end(name))).ok();
    let (interface, mac) = (tap["interface"].as_str().unwrap(), tap["mac"].as_str().unwrap());
    host.sh(&format!("systemd-run --unit {name} perl /tmp/{name}.pl {interface} {name} {mac}"))
        .ok();
    let up = format!("ip netns exec {name} ip link show eth0 up | grep -q LOWER_UP");
    host.until(Duration::from_secs(10), &up);
}

/// Ends a machine.
fn end(name: &str) -> String {
    format!("{{ systemctl stop {name} {name}-page; ip netns delete {name}; }} 2> /dev/null || true")
}

/// Asks by DHCP (RFC 2131) from one's own address as whoever has a hardware address, and says which address is offered.
const PRETEND: &str = r#"
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
s.bind(("", 68))
s.settimeout(3)
mac, how = bytes.fromhex(sys.argv[1].replace(":", "")), sys.argv[2]
ask = bytes([1, 1, 6, 0]) + b"volt" + b"\0\0\x80\0" + bytes(16) + mac.ljust(16, b"\0") + bytes(192)
named = bytes([61, 7, 1]) + bytes.fromhex(sys.argv[3].replace(":", "")) if how == "named" else b""
ask += bytes([99, 130, 83, 99, 53, 1, 1]) + named + bytes([255])
if how == "parts":
    # The first is too short to say who asks.
    udp = struct.pack("!HHHH", 68, 67, 8 + len(ask), 0) + ask
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    own = socket.inet_aton(sys.argv[3])
    for at, part, more in ((0, udp[:24], 0x2000), (24, udp[24:], 0)):
        head = struct.pack("!BBHHHBBH4s4s", 69, 0, 20 + len(part), 77, more | at // 8, 64, 17, 0, own, b"\xff" * 4)
        raw.sendto(head + part, ("255.255.255.255", 0))
else:
    s.sendto(ask, ("255.255.255.255", 67))
try:
    print(socket.inet_ntoa(s.recv(2000)[16:20]), end="")
except TimeoutError:
    print("nothing", end="")
"#;

on_hosts! {
    fn net_tap_makes_a_machine_a_member(host) {
        host.tiny();
        let (_web, _guest) = (host.container("tapweb"), host.container("guest"));
        host.sh(&format!("{}; volt net tap delete guest; volt net delete taplan; true", end("guest"))).ok();
        host.sh("volt net create --dhcp --subnet 10.78.0.0/24 --ipv6 fd78::/64 taplan").ok();
        let tap = host.sh("volt net tap create --network taplan --owner nobody guest -o json").json();
        let of = |key: &str| tap[key].as_str().unwrap_or_else(|| panic!("{tap}")).to_owned();
        let (interface, ip) = (of("interface"), of("ip"));
        assert!(ip.starts_with("10.78.0.") && of("ipv6").starts_with("fd78::"), "{tap}");
        assert!(host.sh("volt net tap list -o name").ok().lines().any(|name| name == "guest"));
        serve(host, "tapweb", "--network taplan");
        for (line, code, said) in [
            ("volt net tap create --network taplan guest", 4, "guest"),
            ("volt run -d --name guest tiny sleep 9", 4, "TAP"),
            ("volt net tap create tapweb", 4, "tapweb"),
            ("volt net tap create --owner nobody-at-all other", 3, "nobody-at-all"),
            ("volt net tap create --network nowhere other", 3, "nowhere"),
            ("volt net tap create --network taplan --ip 10.79.0.9 other", 2, "10.79.0.9"),
            ("volt net tap delete other", 3, "other"),
            ("volt net delete taplan", 9, "guest"),
        ] {
            let error = host.sh(line).fails(code);
            assert!(error.contains(said), "{line}: {error}");
        }

        // It is told its own address, the way out and who knows names, and is what its name leads to.
        machine(host, "guest", &tap);
        assert!(host.sh(&ask("guest")).ok().contains(&format!("{ip}/24 by 10.78.0.1, names by 10.78.0.1")));
        // By IPv6 too, where the router says that addresses are to be had by asking.
        host.until(Duration::from_secs(20), "ip netns exec guest ip -6 route show default | grep -q eth0");
        host.run_with(&["sh", "-c", "cat > /tmp/ask6.py"], ASK_SIX.as_bytes()).ok();
        let given = host.sh(&format!("ip netns exec guest python3 /tmp/ask6.py {}", of("mac"))).ok();
        assert_eq!(given, format!("{} names by fd78::1", of("ipv6")));
        host.sh(&format!("ip -n guest addr add {}/128 dev eth0 nodad", given.split(' ').next().unwrap())).ok();
        host.sh(&format!("systemd-run --unit guest-page ip netns exec guest busybox sh -c '{}'", SERVE.replace("hostname", "echo guest").replace("httpd", "busybox httpd"))).ok();
        host.until(Duration::from_secs(10), "timeout 3 volt exec tapweb wget -q -O - http://guest/");
        let ipv6 = format!("[{}]", of("ipv6"));
        for address in ["guest", "guest.taplan", &ip, &ipv6] {
            assert!(reaches(host, Some("tapweb"), address, "guest"), "{address}");
        }
        assert!(reaches(host, None, &ip, "guest"));
        // Policies are about it, and its packets are seen, as those of any member.
        host.sh("(sleep 1; volt exec tapweb wget -q -O - http://guest/) & timeout 20 volt net capture --count 2 guest > /tmp/guest.pcap && test $(stat -c %s /tmp/guest.pcap) -gt 24").ok();
        host.sh("volt net policy create --deny --from tapweb --to guest --port 80 tapshut").ok();
        assert!(!reaches(host, Some("tapweb"), &ip, "guest"));
        assert!(host.sh("volt net policy test tapweb guest:80").ok().contains("policy tapshut"));
        host.sh("volt net policy delete tapshut").ok();
        assert!(reaches(host, Some("tapweb"), &ip, "guest"));
        let asked = host.sh("ip netns exec guest busybox nslookup tapweb.volt 10.78.0.1").ok();
        assert!(asked.contains("10.78.0."), "{asked}");

        // Another program's doing does not last, nor does a restart of its server lose anything.
        host.sh(&format!("ip link set {interface} nomaster")).ok();
        host.until(Duration::from_secs(10), "timeout 3 volt exec tapweb wget -q -O - http://guest/");
        host.sh("systemctl kill -s KILL volt-dhcp@taplan.service").ok();
        host.until(Duration::from_secs(10), &format!("{{ {}; }} | grep -q '{ip}/24'", ask("guest")));

        // Nobody asks for another's address, or gives it back, by saying in the question that he is the other.
        let other = host.sh("volt net tap create --network taplan --owner nobody other -o json").json();
        host.run_with(&["sh", "-c", "cat > /tmp/pretend.py"], PRETEND.as_bytes()).ok();
        let asks = |words: &str| host.sh(&format!("ip netns exec guest python3 /tmp/pretend.py {words}")).ok();
        let (own, other) = (of("mac"), other["mac"].as_str().unwrap());
        assert_eq!(asks(&format!("{own} plain")), ip);
        assert_eq!(asks(&format!("{other} plain")), "nothing");
        assert_eq!(asks(&format!("{other} parts {ip}")), "nothing");
        // It may call itself what it likes.
        assert_eq!(asks(&format!("{own} named {other}")), ip);
        host.volt(&["net", "tap", "delete", "other"]).ok();

        // Nobody but it is given its address, nor heard as it.
        host.sh("ip -n guest link set eth0 address 02:00:00:00:00:99").ok();
        host.sh(&format!("! {{ {}; }} > /dev/null", ask("guest"))).ok();
        assert!(!reaches(host, Some("tapweb"), "guest", "guest"));

        // Deleted it is put back, with what it was.
        host.sh(&format!("{}; ip link delete {interface}", end("guest"))).ok();
        host.until(Duration::from_secs(10), &format!("ip link show {interface} | grep -q 'master volt-taplan' && volt net tap list -o json | grep -q guest"));
        machine(host, "guest", &tap);
        assert!(host.sh(&ask("guest")).ok().contains(&format!("{ip}/24")));
        let check = host.volt(&["system", "check"]);
        assert!(!check.stdout.contains("guest") && !check.stdout.contains("taplan"), "{check:?}");
        host.sh(&format!("{}; volt net tap delete guest", end("guest"))).ok();
        host.sh(&format!("! ip link show {interface}")).ok();
        host.gone(&["/run/volt/networks/guest.json", "/var/lib/volt/taps/guest.json"]);
        host.sh("volt delete --force tapweb && volt net delete taplan && ! systemctl is-active volt-dhcp@taplan && ! ls /run/volt/dhcp/taplan").ok();
    }
}

on_hosts! {
    fn net_interfaces_are_left_alone_by_networkd(host) {
        let host = &*host.private("networkd");
        host.tiny();
        // It has a file of its own for the TAPs of systemd-vmspawn; some people's match whatever there is.
        host.sh("mkdir -p /etc/systemd/network && printf '[Match]\\nName=v*\\n[Network]\\nAddress=192.0.2.9/24\\n' > /etc/systemd/network/20-all.network && systemctl start systemd-networkd").ok();
        host.sh("volt net create --dhcp --subnet 10.77.0.0/24 plan && volt net tap create --network plan guest && ip link add veil type veth peer name veil-end").ok();
        serve(host, "web", "--network plan");
        // What is not Volt's it takes.
        host.until(Duration::from_secs(20), "ip -o addr show dev veil | grep -q 192.0.2.9");
        let ours = "ip -o link show | sed -n 's/^[0-9]*: \\(vo[^:@]*\\).*/\\1/p'";
        host.sh(&format!("for link in $({ours}); do networkctl --no-legend list $link | grep -q unmanaged || {{ networkctl; exit 1; }}; done")).ok();
        host.sh("systemctl restart systemd-networkd && sleep 2 && ! ip -o addr show | grep -v veil | grep 192.0.2.9").ok();
        host.sh("test $(ip -o link show master volt-plan | grep -c ' vo-') = 2 && volt system check").ok();
        // Who gives addresses and is stopped is missed: by a check, and by whoever watches as soon as there is news.
        let is_back = "systemctl is-active volt-dhcp@plan.service && volt system check";
        host.sh("systemctl mask --now volt-network.service && systemctl stop volt-dhcp@plan.service").ok();
        let check = host.volt(&["system", "check"]);
        assert!(check.code == 1 && check.stdout.contains("volt-dhcp@plan.service"), "{check:?}");
        host.sh(&format!("volt system check --repair && {is_back}")).ok();
        host.sh("systemctl unmask volt-network.service && systemctl start volt-network.service && systemctl stop volt-dhcp@plan.service && ip link add veal type veth peer name veal-end").ok();
        host.until(Duration::from_secs(10), is_back);
        host.sh("volt delete --force web && volt net tap delete guest && volt net delete plan").ok();
    }
}

on_hosts! {
    fn net_dhcp_gives_addresses_and_nothing_more(host) {
        host.sh(&format!("{}; volt net tap delete shut; volt net delete shutin; true", end("shut"))).ok();
        host.sh("volt net create --dhcp --internal --no-dns --subnet 10.79.0.0/24 shutin").ok();
        let tap = host.sh("volt net tap create --network shutin --ip 10.79.0.50 shut -o json").json();
        machine(host, "shut", &tap);
        // An internal network leads nowhere, and nobody there knows names.
        let told = host.sh(&ask("shut")).ok();
        assert!(told.contains("10.79.0.50/24 by , names by"), "{told}");
        host.sh(&format!("{}; volt net tap delete shut && volt net delete shutin", end("shut"))).ok();
    }
}
