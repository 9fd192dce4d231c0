//! Derived names, subnets, published ports, and what a person finds in `nft list ruleset`.

use super::ruleset::Family;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn network(text: &str, subnet: &str) -> Network {
    Network {
        version: Network::VERSION,
        name: name(text),
        subnet: subnet.parse().unwrap(),
        ipv6: None,
        internal: false,
        isolate: false,
        dns: true,
        dhcp: false,
        mtu: None,
        labels: BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
    }
}

fn attached(port: &str) -> Attached {
    Attached {
        dns: Vec::new(),
        workload: name("web"),
        labels: BTreeMap::new(),
        endpoints: vec![Endpoint {
            network: name("volt0"),
            interface: "eth0".into(),
            port: port_name(&name("web"), &name("volt0")),
            mac: mac_of(&name("web"), &name("volt0")),
            ip: "10.0.0.2".parse().unwrap(),
            ipv6: Some("fd00::2".parse().unwrap()),
            aliases: vec![],
            rate: None,
        }],
        published: vec![published(port)],
    }
}

fn published(text: &str) -> Published {
    let one: Publish = text.parse().unwrap();
    Published {
        address: one.address,
        host: one.host.unwrap(),
        container: one.container,
        protocol: one.protocol,
        ip: "10.0.0.2".parse().unwrap(),
        ipv6: Some("fd00::2".parse().unwrap()),
        expose: false,
    }
}

#[test]
fn names_of_interfaces_fit_and_differ() {
    for (network, bridge) in
        [("volt0", "volt0"), ("back", "volt-back"), ("ten-letter", "volt-ten-letter")]
    {
        assert_eq!(bridge_name(&name(network)), bridge);
    }
    let long = bridge_name(&name("eleven-long"));
    assert!(long.starts_with("volt-ele_") && long.len() == IFNAMSIZ, "{long}");
    let many: Vec<Name> = (0..2000).map(|n| name(&format!("web-{n}"))).collect();
    let ports: BTreeSet<String> = many.iter().map(|w| port_name(w, &name("volt0"))).collect();
    let macs: BTreeSet<Mac> = many.iter().map(|w| mac_of(w, &name("volt0"))).collect();
    assert_eq!((ports.len(), macs.len()), (2000, 2000));
    assert_ne!(bridge_mac("db"), mac_of(&name("db"), &name("db")));
    assert!(ports.iter().all(|port| port.starts_with(PORT_PREFIX) && port.len() <= IFNAMSIZ));
    assert!(macs.iter().all(|mac| mac.0[0] == 2 && mac.to_string().parse() == Ok(*mac)));
    assert!(
        unique_local("a").to_string().starts_with("fd") && unique_local("a") != unique_local("b")
    );
}

const IFNAMSIZ: usize = 15;

#[test]
fn interfaces_give_themselves_an_address() {
    let mac: Mac = "02:1a:2b:3c:4d:5e".parse().unwrap();
    assert_eq!(mac.link_local().to_string(), "fe80::1a:2bff:fe3c:4d5e");
}

#[test]
fn subnets() {
    let subnet: Ipv4Net = "10.0.0.0/24".parse().unwrap();
    assert_eq!((numbers(subnet), ip_of(subnet, 5).to_string()), (2..=254, "10.0.0.5".into()));
    assert_eq!(ipv6_of("fd00::/64".parse().unwrap(), 255).to_string(), "fd00::ff");
    for (ip, number) in
        [("10.0.0.5", Some(5)), ("10.0.0.1", None), ("10.0.0.255", None), ("10.0.1.5", None)]
    {
        assert_eq!(number_of(subnet, ip.parse().unwrap()), number, "{ip}");
    }
    assert_eq!(numbers("10.0.0.0/30".parse().unwrap()).count(), 1);
    for (text, good) in [
        ("10.1.0.0/16", true),
        ("192.168.7.0/30", true),
        ("10.1.0.1/16", false),
        ("127.0.0.0/8", false),
        ("224.0.0.0/24", false),
        ("0.0.0.0/8", false),
        ("10.0.0.0/31", false),
        ("169.254.0.0/16", false),
    ] {
        assert_eq!(check_ipv4(text.parse().unwrap()).is_ok(), good, "{text}");
    }
    for (text, good) in [
        ("fd12::/64", true),
        ("2001:db8::/96", true),
        ("fd12::1/64", false),
        ("fe80::/64", false),
        ("fd12::/120", false),
        ("::/16", false),
    ] {
        assert_eq!(check_ipv6(text.parse().unwrap()).is_ok(), good, "{text}");
    }
}

#[test]
fn connections_are_said_in_words() {
    use crate::container::Network as Whose;
    let said =
        |words: &[&str]| connections(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(said(&["none"]), Ok((Whose::None, vec![])));
    assert_eq!(said(&["host"]), Ok((Whose::Host, vec![])));
    let (whose, all) =
        said(&["back:ip=10.9.0.5:mac=02-00-00-00-00-0b:alias=db:alias=store", "volt0"]).unwrap();
    assert_eq!(
        (whose, all.len(), all[0].to_string()),
        (Whose::None, 2, "back:ip=10.9.0.5:mac=02-00-00-00-00-0b:alias=db:alias=store".into())
    );
    for bad in [
        &["none", "volt0"][..],
        &["a", "a"],
        &["host", "host"],
        &[""],
        &["a:ip=x"],
        &["a:ip=1.2.3.4:ip=1.2.3.5"],
        &["a:alias=b c"],
        &["a:mac=01-00-5e-00-00-01"],
        &["a:mac=02:00:00:00:00:0b"],
        &["a:alias=b.volt"],
        &["a:b"],
        &["A"],
    ] {
        assert!(said(bad).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn published_ports() {
    for (text, shown) in [
        ("80", "80/tcp"),
        ("8080:80", "8080:80/tcp"),
        (":80", ":80/tcp"),
        ("127.0.0.1:8080:80/udp", "127.0.0.1:8080:80/udp"),
        ("127.0.0.1::80", "127.0.0.1::80/tcp"),
        ("[::1]:8080:80", "[::1]:8080:80/tcp"),
        ("0.0.0.0:1:2", "1:2/tcp"),
        ("[::]:1:2", "1:2/tcp"),
        ("8000-8003:9000-9003", "8000-8003:9000-9003/tcp"),
        ("1-1024:1-1024", "1-1024:1-1024/tcp"),
    ] {
        let shown = if text == ":80" { "80/tcp" } else { shown };
        assert_eq!(text.parse::<Publish>().unwrap().to_string(), shown, "{text}");
    }
    for bad in [
        "",
        "0",
        "80:0",
        "65536",
        "8080:80/icmp",
        "8000-8002:80",
        "80-81",
        "9-8:9-8",
        "x:1:2",
        "::1:1:2",
        "1-1025:1-1025",
        "+80",
        "1:2:3:4",
        "[1.2.3.4]:1:2",
    ] {
        assert!(bad.parse::<Publish>().is_err(), "{bad:?} was taken");
    }
    for (one, two, collide) in [
        ("80:1", "80:2", true),
        ("127.0.0.1:80:1", "80:1", true),
        ("127.0.0.1:80:1", "127.0.0.2:80:1", false),
        ("80:1", "80:1/udp", false),
        ("80:1", "81:1", false),
    ] {
        assert_eq!(published(one).collides(&published(two)), collide, "{one} {two}");
    }
}

pub(super) fn facts<'a>(
    networks: &'a [Network],
    attached: &'a [Attached],
    orders: &'a policy::Orders,
) -> ruleset::Facts<'a> {
    ruleset::Facts { networks, attached, orders, gate: 7 }
}

fn render(networks: &[Network], attached: &[Attached]) -> String {
    ruleset::render(&facts(networks, attached, &policy::Orders::default()), &[])
}

#[test]
fn what_a_person_finds_in_the_ruleset() {
    let mut open = network("volt0", "10.0.0.0/24");
    open.ipv6 = Some("fd00::/64".parse().unwrap());
    let closed = Network { internal: true, ..network("back", "10.9.0.0/24") };
    let port = port_name(&name("web"), &name("volt0"));
    let mac = mac_of(&name("web"), &name("volt0"));
    let text = render(&[open, closed], &[attached("8080:80"), attached("127.0.0.1:81:80")]);
    for part in [
        "set bridges {\n\t\ttype ifname;\n\t\telements = { \"volt-back\",\n\t\t\t\"volt0\" }\n",
        "set internal {\n\t\ttype ifname;\n\t\telements = { \"volt-back\" }\n",
        "elements = { tcp . 8080 : 10.0.0.2 . 80 }",
        "elements = { tcp . 8080 : fd00::2 . 80 }",
        "map host_ports4 {\n\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;\n\t}",
        "ip saddr 10.0.0.0/24 oifname != \"volt0\" masquerade\n",
        "ip6 saddr fd00::/64 oifname != \"volt0\" masquerade\n",
        "iifname \"volt-back\" oifname \"volt-back\" accept comment",
        &format!("\"{port}\" . {mac} . 10.0.0.2"),
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("10.9.0.0/24 oifname !="), "an internal network goes out:\n{text}");
    let nobody = policy::Orders::default();
    let rules = |networks: &[Network]| {
        ruleset::tables(&facts(networks, &[], &nobody)).map(|table| table.rules)
    };
    let (least, some) = (rules(&[]), rules(&[network("volt0", "10.0.0.0/24")]));
    assert!(least[1] == some[1] && least[0] < some[0], "{least:?} {some:?}");
    for (number, table) in ruleset::tables(&facts(&[], &[], &nobody)).iter().enumerate() {
        assert!(table.rules == least[number] && table.rules > 4, "{table:?}");
    }
}

#[test]
fn a_comment_tells_rules_from_others() {
    let (one, two) = ([network("volt0", "10.0.0.0/24")], [network("volt0", "10.1.0.0/24")]);
    let nobody = policy::Orders::default();
    let comments = |facts: ruleset::Facts<'_>| ruleset::tables(&facts).map(|table| table.comment);
    let before = comments(facts(&one, &[], &nobody));
    // Who comes and goes changes elements alone.
    assert_eq!(comments(facts(&one, &[attached("80:80")], &nobody)), before);
    assert_ne!(comments(facts(&two, &[], &nobody))[0], before[0]);
    let moved = comments(ruleset::Facts { gate: 8, ..facts(&one, &[], &nobody) });
    assert_ne!(moved[2], before[2]);
}

#[test]
fn the_host_is_asked_about_what_is_not_exposed() {
    let mut open = attached("8080:80");
    let has = |attached: &Attached, family, set: &str, key: &str| {
        let all = ruleset::elements(attached, &[], &policy::Orders::default());
        all.iter().any(|one| one.family == family && one.set == set && one.to_string() == key)
    };
    for family in [Family::Ip, Family::Ip6] {
        assert!(has(&open, family, "published", "tcp . 8080"));
    }
    assert!(!has(&open, Family::Inet, "exposed", "tcp . 8080"));
    open.published[0].expose = true;
    assert!(has(&open, Family::Inet, "exposed", "tcp . 8080"));
    assert!(!has(&open, Family::Ip, "published", "tcp . 8080"));
    let one = attached("192.0.2.1:8080:80");
    assert!(has(&one, Family::Ip, "published_at", "192.0.2.1 . tcp . 8080"));
    assert!(!has(&one, Family::Ip6, "published", "tcp . 8080"));
}

#[test]
fn records_are_read_as_they_were_written() {
    let mut net = network("back", "10.9.0.0/24");
    net.ipv6 = Some("fd00:9::/64".parse().unwrap());
    let text = serde_json::to_string(&net).unwrap();
    assert!(text.contains(r#""subnet":"10.9.0.0/24","ipv6":"fd00:9::/64""#), "{text}");
    assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), net);
    let attached = attached("8080:80");
    let text = serde_json::to_string(&attached).unwrap();
    assert_eq!(serde_json::from_str::<Attached>(&text).unwrap(), attached);
}

proptest! {
    #[test]
    fn what_is_published_reads_back(text in "[0-9:.\\[\\]/a-f-]{0,24}|[0-9]{1,5}(-[0-9]{1,5})?:[0-9]{1,5}(-[0-9]{1,5})?(/tcp|/udp)?") {
        if let Ok(publish) = text.parse::<Publish>() {
            prop_assert!(publish.count >= 1);
            prop_assert!(publish.container.checked_add(publish.count - 1).is_some());
            prop_assert_eq!(publish.to_string().parse::<Publish>(), Ok(publish));
        }
    }

    #[test]
    fn every_number_leads_back(prefix in 8_u8..=30, bits: u32, pick: u32) {
        let subnet = Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap().trunc();
        let all = numbers(subnet);
        let number = all.start() + pick % (all.end() - all.start() + 1);
        let ip = ip_of(subnet, number);
        prop_assert!(subnet.contains(&ip) && ip != subnet.broadcast() && ip != ip_of(subnet, 1));
        prop_assert_eq!(number_of(subnet, ip), Some(number));
    }
}

#[test]
fn who_asks_by_dhcp_is_told_its_own_address() {
    let mut net = network("volt0", "10.0.0.0/24");
    net.dhcp = true;
    let conf = |net: &Network| dhcp::render(net, "/run/hosts".as_ref(), "/run/leases".as_ref());
    let has = |net: &Network, line: &str| conf(net).lines().any(|one| one == line);
    for line in [
        "interface=volt0",
        "dhcp-range=10.0.0.0,static",
        "dhcp-hostsfile=/run/hosts",
        "dhcp-option=option:router,10.0.0.1",
        "dhcp-option=option:dns-server,10.0.0.1",
    ] {
        assert!(has(&net, line), "{line}: {}", conf(&net));
    }
    (net.internal, net.dns, net.mtu) = (true, false, Some(1400));
    net.ipv6 = Some("fd00::/64".parse().unwrap());
    for line in [
        "dhcp-option=option:router",
        "dhcp-option=option:dns-server",
        "dhcp-option=option:mtu,1400",
        "dhcp-range=fd00::,static,64",
        "ra-param=volt0,0,0",
    ] {
        assert!(has(&net, line), "{line}: {}", conf(&net));
    }
    let web = attached("80:80");
    let own = format!("{},10.0.0.2,[fd00::2],web\n", mac_of(&name("web"), &name("volt0")));
    assert_eq!(dhcp::hosts(&net, std::slice::from_ref(&web)), own);
    assert_eq!(dhcp::hosts(&network("other", "10.1.0.0/24"), &[web]), "");
}
