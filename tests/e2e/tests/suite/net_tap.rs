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
echo "$ip/$mask by $router, names by $dns" > /tmp/told
"#;

/// Asks for an address in the machine, and shows what was told.
const ASK: &str = "rm -f /tmp/told; ip netns exec machine busybox udhcpc -i eth0 -n -q -f -t 4 -T 1 -s /tmp/told.sh 2>&1; cat /tmp/told";

/// Starts the machine at a TAP.
fn machine(host: &Host, interface: &str, mac: &str) {
    host.run_with(&["sh", "-c", "cat > /tmp/machine.pl"], MACHINE.as_bytes()).ok();
    host.run_with(&["sh", "-c", "cat > /tmp/told.sh && chmod 755 /tmp/told.sh"], TOLD.as_bytes())
        .ok();
    host.sh("systemctl stop machine.service machine-page.service 2>/dev/null; ip netns delete machine 2>/dev/null; ip netns add machine").ok();
    host.sh(&format!("systemd-run --unit machine perl /tmp/machine.pl {interface} machine {mac}"))
        .ok();
    host.until(
        Duration::from_secs(10),
        "ip netns exec machine ip link show eth0 up | grep -q LOWER_UP",
    );
}

on_hosts! {
    fn net_tap_makes_a_machine_a_member(host) {
        host.tiny();
        let (_web, _guest) = (host.container("tapweb"), host.container("guest"));
        host.sh("systemctl stop machine machine-page; volt net tap delete guest; volt net delete machines; true").ok();
        host.sh("volt net create --dhcp --subnet 10.78.0.0/24 --ipv6 fd78::/64 machines").ok();
        let tap = host.sh("volt net tap create --network machines --owner nobody guest -o json").json();
        let of = |key: &str| tap[key].as_str().unwrap_or_else(|| panic!("{tap}")).to_owned();
        let (interface, mac, ip) = (of("interface"), of("mac"), of("ip"));
        assert!(ip.starts_with("10.78.0.") && of("ipv6").starts_with("fd78::"), "{tap}");
        assert_eq!(host.sh("volt net tap list -o name").ok(), "guest");
        serve(host, "tapweb", "--network machines");
        for (line, code, said) in [
            ("volt net tap create --network machines guest", 4, "guest"),
            ("volt run -d --name guest tiny sleep 9", 4, "TAP"),
            ("volt net tap create tapweb", 4, "tapweb"),
            ("volt net tap create --owner nobody-at-all other", 3, "nobody-at-all"),
            ("volt net tap create --network nowhere other", 3, "nowhere"),
            ("volt net tap create --network machines --ip 10.79.0.9 other", 2, "10.79.0.9"),
            ("volt net tap delete other", 3, "other"),
            ("volt net delete machines", 9, "guest"),
        ] {
            let error = host.sh(line).fails(code);
            assert!(error.contains(said), "{line}: {error}");
        }

        // It is told its own address, the way out and who knows names, and is what its name leads to.
        machine(host, &interface, &mac);
        assert!(host.sh(ASK).ok().contains(&format!("{ip}/24 by 10.78.0.1, names by 10.78.0.1")));
        host.sh(&format!("systemd-run --unit machine-page ip netns exec machine busybox sh -c '{}'", SERVE.replace("hostname", "echo guest").replace("httpd", "busybox httpd"))).ok();
        host.until(Duration::from_secs(10), "timeout 3 volt exec tapweb wget -q -O - http://guest/");
        assert!(reaches(host, Some("tapweb"), "guest", "guest") && reaches(host, None, &ip, "guest"));
        let asked = host.sh("ip netns exec machine busybox nslookup tapweb.volt 10.78.0.1").ok();
        assert!(asked.contains("10.78.0."), "{asked}");
        // By IPv6 too, where the router says that addresses are to be had.
        host.until(Duration::from_secs(20), "ip netns exec machine ip -6 route show default | grep -q eth0");

        // Another program's doing does not last, nor does a restart of its server lose anything.
        host.sh(&format!("ip link set {interface} nomaster")).ok();
        host.until(Duration::from_secs(10), "timeout 3 volt exec tapweb wget -q -O - http://guest/");
        host.sh("systemctl kill -s KILL volt-dhcp@machines.service").ok();
        host.until(Duration::from_secs(10), &format!("{{ {ASK}; }} | grep -q '{ip}/24'"));

        // Nobody but it is given its address, nor heard as it.
        host.sh("ip -n machine link set eth0 address 02:00:00:00:00:99").ok();
        host.sh(&format!("! {{ {ASK}; }} > /dev/null")).ok();
        assert!(!reaches(host, Some("tapweb"), "guest", "guest"));

        let check = host.volt(&["system", "check"]);
        assert!(!check.stdout.contains("guest") && !check.stdout.contains("machines"), "{check:?}");
        host.sh("systemctl stop machine machine-page; ip netns delete machine; volt net tap delete guest").ok();
        host.sh(&format!("! ip link show {interface} && ! ls /run/volt/networks/guest.json /var/lib/volt/taps/guest.json")).ok();
        host.sh("volt delete --force tapweb && volt net delete machines && ! systemctl is-active volt-dhcp@machines && ! ls /run/volt/dhcp/machines").ok();
    }
}

on_hosts! {
    fn net_dhcp_gives_addresses_and_nothing_more(host) {
        host.sh("systemctl stop machine; volt net tap delete shut; volt net delete shutin; true").ok();
        host.sh("volt net create --dhcp --internal --no-dns --subnet 10.79.0.0/24 shutin").ok();
        let tap = host.sh("volt net tap create --network shutin --ip 10.79.0.50 shut -o json").json();
        machine(host, tap["interface"].as_str().unwrap(), tap["mac"].as_str().unwrap());
        // An internal network leads nowhere, and nobody there knows names.
        let told = host.sh(ASK).ok();
        assert!(told.contains("10.79.0.50/24 by , names by"), "{told}");
        host.sh("systemctl stop machine; ip netns delete machine; volt net tap delete shut; volt net delete shutin").ok();
    }
}
