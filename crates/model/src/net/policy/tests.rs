//! How statements are written, which of them decides, and that the rendered rules say what the evaluator says.

use super::*;
use crate::net::ruleset::{self, Family};
use crate::net::tests::{facts, network};
use crate::net::{Endpoint, Network, Protocol, bridge_name, ip_of, ipv6_of, mac_of, port_name};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn statement(words: &str) -> Statement {
    let words: Vec<&str> = words.split(' ').collect();
    Statement {
        name: name(words[0]),
        action: words[1].parse().unwrap(),
        from: words[2].parse().unwrap(),
        to: words[3].parse().unwrap(),
        ports: words[4..].iter().map(|word| word.parse().unwrap()).collect(),
    }
}

#[test]
fn who_is_meant_reads_back() {
    for (text, back) in [
        ("web", "web"),
        ("any", "any"),
        ("name:any", "name:any"),
        ("name:web", "web"),
        ("role=db", "role=db"),
        ("a=", "a="),
        ("net:back", "net:back"),
        ("10.0.0.5", "10.0.0.5/32"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
        ("host", "host"),
    ] {
        assert_eq!(text.parse::<Who>().map(|who| who.to_string()), Ok(back.into()), "{text}");
    }
    for text in ["", "Web", "net:", "=x", "10.0.0.5/8", "1.2.3", "net:a:b", "a/b", "name:"] {
        assert!(text.parse::<Who>().is_err(), "{text}");
    }
}

#[test]
fn ports_read_back() {
    for (text, back) in [
        ("80", "80/tcp"),
        ("80/udp", "80/udp"),
        ("udp/53", "53/udp"),
        ("8000-8100/tcp", "8000-8100/tcp"),
        ("icmp", "icmp"),
    ] {
        assert_eq!(text.parse::<Ports>().map(|one| one.to_string()), Ok(back.into()), "{text}");
    }
    for text in ["", "0", "65536", "9-8", "80/sctp", "tcp/udp", "tcp", "+8", "1-2-3"] {
        assert!(text.parse::<Ports>().is_err(), "{text}");
    }
}

#[test]
fn targets_have_a_port_or_none() {
    for (text, who, carried) in [
        ("web:80", "web", Some("80/tcp")),
        ("web:53/udp", "web", Some("53/udp")),
        ("web", "web", None),
        ("[fd00::2]:80", "fd00::2/128", Some("80/tcp")),
        ("fd00::2", "fd00::2/128", None),
        ("10.0.0.2:icmp", "10.0.0.2/32", Some("icmp")),
        ("name:host", "name:host", None),
        ("host:22", "host", Some("22/tcp")),
    ] {
        let target: Target = text.parse().unwrap();
        let shown = (target.who.to_string(), target.carried.map(|one| one.to_string()));
        assert_eq!(shown, (who.to_owned(), carried.map(str::to_owned)), "{text}");
    }
    for text in ["web:80-81", "web:x", ":80", "web:"] {
        assert!(text.parse::<Target>().is_err(), "{text}");
    }
}

#[test]
fn a_wrong_file_says_its_line() {
    let wrong = |text: &str| serde_json::from_str::<Policies>(text).unwrap_err().to_string();
    for (text, line, reason) in [
        ("{\n\"version\": 2}", "line 2", "the version is 2"),
        (
            "{\"version\": 1, \"policies\": [\n{\"name\": \"a\", \"action\": \"allow\"},\n\
             {\"name\": \"a\", \"action\": \"deny\"}\n]}",
            // Where the list goes on behind it.
            "line 4",
            "two with the name a",
        ),
        (
            "{\"version\": 1, \"policies\": [\n\n{\"name\": \"a\", \"action\": \"deny\", \"to\": \"host\"}]}",
            "line 3",
            "rule of the firewall",
        ),
        ("{\"version\": 1,\n\"policy\": []}", "line 2", "unknown field"),
        (
            "{\"version\": 1, \"policies\": [\n{\"name\": \"a\", \"action\": \"deny\",\n\"from\": \"B!\"}]}",
            "line 3",
            "B!",
        ),
        ("{\"version\": 1,\n\"defaults\": {\"back\": {\"ingress\": \"no\"}}}", "line 2", "no"),
        ("", "line 1", "EOF"),
    ] {
        let said = wrong(text);
        assert!(said.contains(line) && said.contains(reason), "{text}: {said}");
    }
    let rules = "{\"version\":1,\"rules\":[{\"name\":\"a\",\"action\":\"deny\",\"to\":\"host\"}]}";
    let read: FirewallRules = serde_json::from_str(rules).unwrap();
    assert_eq!(
        serde_json::from_str::<FirewallRules>(&serde_json::to_string(&read).unwrap()).unwrap(),
        read
    );
    assert!(serde_json::from_str::<FirewallRules>(&rules.replace("\"to\"", "\"from\"")).is_err());
}

/// A host with three networks and who is on them.
struct Scene {
    networks: Vec<Network>,
    attached: Vec<Attached>,
    orders: Orders,
}

const NETWORKS: [&str; 3] = ["one", "two", "three"];

impl Scene {
    /// Of each network whether it is internal and isolated; of each workload its label and its networks, as bits.
    fn new(kinds: [(bool, bool); 3], workloads: &[(u8, u8)], orders: Orders) -> Self {
        let networks: Vec<Network> = (1..)
            .zip(NETWORKS.into_iter().zip(kinds))
            .map(|(n, (name, (internal, isolate)))| Network {
                internal,
                isolate,
                ipv6: Some(format!("fd0{n}::/64").parse().unwrap()),
                ..network(name, &format!("10.{n}.0.0/24"))
            })
            .collect();
        let attach = |(number, (label, on)): (u32, &(u8, u8))| {
            let workload = name(&format!("w{number}"));
            let own = networks.iter().enumerate().filter(|(i, _)| on & (1 << i) != 0);
            Attached {
                dns: Vec::new(),
                labels: [("role".to_owned(), format!("{label}"))].into(),
                endpoints: own
                    .map(|(_, network)| endpoint(&workload, network, number + 2))
                    .collect(),
                published: vec![],
                workload,
            }
        };
        let attached = (0..).zip(workloads).map(attach).collect();
        Self { networks, attached, orders }
    }

    fn party(&self, who: Option<(usize, usize)>, is_ipv4: bool) -> Place<'_> {
        let Some((workload, connection)) = who else {
            let ip = if is_ipv4 { "192.0.2.9" } else { "2001:db8::9" };
            let party = Party { member: None, ip: Some(ip.parse().unwrap()) };
            return Place { party, interface: "eth7".into(), port: "eth7".into() };
        };
        let attached = &self.attached[workload % self.attached.len()];
        let endpoint = &attached.endpoints[connection % attached.endpoints.len()];
        let ip = if is_ipv4 { endpoint.ip.into() } else { IpAddr::from(endpoint.ipv6.unwrap()) };
        let member = Some((&attached.workload, &attached.labels, &endpoint.network));
        Place {
            party: Party { member, ip: Some(ip) },
            interface: bridge_name(&endpoint.network),
            port: endpoint.port.clone(),
        }
    }

    fn decide(
        &self,
        from: &Place<'_>,
        to: &Place<'_>,
        carried: Option<Ports>,
        published: bool,
    ) -> bool {
        let flow = Flow { from: from.party, to: to.party, carried, published };
        decide(&compile(&self.orders, &self.networks), &flow).action == Action::Allow
    }

    /// What the rendered rules of a family say: the first line of the chain that fits.
    fn interpret(
        &self,
        family: Family,
        (from, to): (&Place<'_>, &Place<'_>),
        carried: Option<Ports>,
        published: bool,
    ) -> bool {
        let text = ruleset::render(&facts(&self.networks, &self.attached, &self.orders), &[]);
        let table =
            if family == Family::Inet { "table inet volt {" } else { "table bridge volt {" };
        let table = text.split(table).nth(1).unwrap().split("\n}").next().unwrap();
        let Some(chain) = table.split("\tchain forward {\n").nth(1) else { return true };
        let elements = ruleset::all_elements(&self.networks, &self.attached, &self.orders);
        let has = |set: &str, key: &str| {
            elements.iter().any(|e| e.family == family && e.set == set && e.to_string() == key)
        };
        let interface = |place: &Place<'_>| match family {
            Family::Inet => place.interface.clone(),
            _ => place.port.clone(),
        };
        let packet =
            Packet { from, to, own: interface(from), other: interface(to), carried, published };
        chain
            .split("\n\t}")
            .next()
            .unwrap()
            .lines()
            .find_map(|line| packet.judged(line, &has))
            .unwrap_or(true)
    }
}

fn endpoint(workload: &Name, network: &Network, number: u32) -> Endpoint {
    Endpoint {
        network: network.name.clone(),
        interface: "eth0".into(),
        port: port_name(workload, &network.name),
        mac: mac_of(workload, &network.name),
        ip: ip_of(network.subnet, number),
        ipv6: network.ipv6.map(|subnet| ipv6_of(subnet, number)),
        aliases: vec![],
        rate: None,
    }
}

/// Where one end of a flow is.
struct Place<'a> {
    party: Party<'a>,
    interface: String,
    port: String,
}

struct Packet<'a> {
    from: &'a Place<'a>,
    to: &'a Place<'a>,
    own: String,
    other: String,
    carried: Option<Ports>,
    published: bool,
}

impl Packet<'_> {
    fn addresses(&self) -> String {
        format!("{} . {}", self.from.party.ip.unwrap(), self.to.party.ip.unwrap())
    }

    /// What a line says of it; none where it does not fit. It is the first of its connection.
    fn judged(&self, line: &str, has: &dyn Fn(&str, &str) -> bool) -> Option<bool> {
        let known = ["type ", "ct state", "icmp", "tcp flags", "meta protocol"];
        let line = line.trim().split(" comment ").next().unwrap();
        if known.iter().any(|word| line.starts_with(word))
            || line.contains("frag-off")
            || line.contains("jump known")
        {
            return None;
        }
        if let Some((sides, rest)) = line.split_once(" . meta l4proto . th dport @") {
            let (set, verdict) = rest.split_once(' ').unwrap();
            let is_ipv4 = self.from.party.ip.unwrap().is_ipv4();
            let ends = match sides {
                "iifname . oifname" => format!("\"{}\" . \"{}\"", self.own, self.other),
                "ip saddr . ip daddr" if is_ipv4 => self.addresses(),
                "ip6 saddr . ip6 daddr" if !is_ipv4 => self.addresses(),
                _ => return None,
            };
            let Some(Ports::Row(protocol, port, _)) = self.carried else { return None };
            let fits = has(set, &format!("{ends} . {protocol} . {port}"));
            return fits.then_some(verdict != "drop");
        }
        let mut words = line.split(' ').peekable();
        while let Some(word) = words.next() {
            let fits = match word {
                "accept" | "goto" => return Some(true),
                "drop" => return Some(false),
                "iifname" | "oifname" => {
                    let own = if word == "iifname" { &self.own } else { &self.other };
                    let not = words.next_if_eq(&"!=").is_some();
                    let operand = words.next().unwrap();
                    let same = match (operand.strip_prefix('@'), operand.strip_suffix("*\"")) {
                        (Some(set), _) => has(set, &format!("\"{own}\"")),
                        (_, Some(prefix)) => own.starts_with(&prefix[1..]),
                        _ => operand == format!("\"{own}\""),
                    };
                    same != not
                }
                "ip" | "ip6" => {
                    let place = if words.next() == Some("saddr") { self.from } else { self.to };
                    let (ip, operand) = (place.party.ip.unwrap(), words.next().unwrap());
                    ip.is_ipv4() == (word == "ip")
                        && match operand.strip_prefix('@') {
                            Some(set) => has(set, &ip.to_string()),
                            None => operand.parse::<ipnet::IpNet>().unwrap().contains(&ip),
                        }
                }
                "tcp" | "udp" => {
                    assert_eq!(words.next(), Some("dport"), "{line}");
                    let rows: Vec<&str> = match words.next_if_eq(&"{") {
                        Some(_) => words.by_ref().take_while(|word| *word != "}").collect(),
                        None => words.next().into_iter().collect(),
                    };
                    let rows =
                        rows.iter().map(|row| format!("{}/{word}", row.trim_end_matches(',')));
                    let mut rows = rows.map(|row| row.parse::<Ports>().unwrap());
                    self.carried.is_some_and(|one| rows.any(|row| row.contain(one)))
                }
                "meta" => {
                    words.by_ref().find(|word| *word == "}");
                    self.carried == Some(Ports::Ping)
                }
                "ct" => {
                    assert_eq!(words.next(), Some("status"), "{line}");
                    let not = words.next_if_eq(&"!").is_some();
                    assert_eq!(words.next(), Some("dnat"), "{line}");
                    self.published != not
                }
                other => panic!("{other} in {line}"),
            };
            if !fits {
                return None;
            }
        }
        None
    }
}

fn orders(policies: &[&str], rules: &[&str], denying: &[&str]) -> Orders {
    let all = |words: &[&str]| words.iter().map(|words| statement(words)).collect();
    let deny = Defaults { ingress: Action::Deny, egress: Action::Deny };
    Orders {
        policies: Policies {
            defaults: denying.iter().map(|network| (name(network), deny)).collect(),
            policies: all(policies),
            ..Policies::default()
        },
        rules: FirewallRules { rules: all(rules), ..FirewallRules::default() },
    }
}

#[test]
fn what_decides() {
    let policies = [
        "db allow role=0 w1 5432",
        "no deny w0 w1 5433",
        "yes allow w0 w1 5433",
        "open allow w0 w2 80",
    ];
    let orders = orders(&policies, &["shut deny 192.0.2.0/24 w0 80"], &["one"]);
    // w0 and w1 are on one, w2 on two.
    let scene = Scene::new([(false, false); 3], &[(0, 1), (1, 1), (1, 2)], orders);
    let (w0, w1, w2) = (Some((0, 0)), Some((1, 0)), Some((2, 0)));
    let rules = compile(&scene.orders, &scene.networks);
    for (from, to, port, published, by) in [
        (w0, w1, "5432", false, "policy db"),
        (w0, w1, "5432/udp", false, "egress default of one"),
        (w1, w0, "5432", false, "egress default of one"),
        (w0, w1, "5433", false, "policy no"),
        (w0, w2, "80", false, "policy open"),
        (w2, w0, "80", false, "ingress default of one"),
        (w2, None, "80", false, "what is outside is reached"),
        (w0, None, "80", false, "egress default of one"),
        (None, w2, "80", false, "from outside only published ports lead in"),
        (None, w2, "80", true, "the port is published"),
        (None, w0, "80", true, "rule shut"),
        (None, w0, "81", true, "ingress default of one"),
    ] {
        let (from, to) = (scene.party(from, true), scene.party(to, true));
        let carried = Some(port.parse().unwrap());
        let flow = Flow { from: from.party, to: to.party, carried, published };
        assert_eq!(decide(&rules, &flow).by.to_string(), by, "{port}");
    }
}

#[test]
fn a_new_name_is_that_of_all_that_was_asked_for() {
    let all = |name: &str| {
        let policies = [format!("a allow {name} w2 80"), format!("b deny net:w1 {name}")];
        orders(&policies.each_ref().map(String::as_str), &[&format!("c deny {name} host")], &[])
    };
    let mut changed = all("w1");
    assert!(changed.name(&name("w1")) && !changed.name(&name("w3")));
    assert!(changed.rename(&name("w1"), &name("w3")) && !changed.rename(&name("w1"), &name("w3")));
    assert_eq!(changed, all("w3"));
}

#[test]
fn a_bridge_without_policies_has_no_chain_for_them() {
    let plain = Scene::new([(false, true); 3], &[(0, 7)], Orders::default());
    let text = ruleset::render(&facts(&plain.networks, &plain.attached, &plain.orders), &[]);
    assert!(!text.contains("flows4") && !text.contains("who"), "{text}");
    let asked = orders(&["a allow w0 w1"], &["b deny role=0 host 22"], &[]);
    let text = ruleset::render(&facts(&plain.networks, &plain.attached, &asked), &[]);
    assert!(
        !text.contains("flows4") && text.contains("_4 tcp dport 22 drop comment \"rule b\""),
        "{text}"
    );
}

const WHO: [&str; 14] = [
    "any",
    "outside",
    "w0",
    "w1",
    "w2",
    "w3",
    "role=0",
    "role=1",
    "net:one",
    "net:two",
    "net:three",
    "10.1.0.0/24",
    "192.0.2.0/24",
    "fd02::/64",
];
const PORTS: [&str; 6] = ["80", "80-90", "85-99/tcp", "53/udp", "1-65535/udp", "icmp"];

fn any_statement() -> impl Strategy<Value = (bool, usize, usize, Vec<usize>)> {
    (any::<bool>(), 0..WHO.len(), 0..WHO.len(), proptest::collection::vec(0..PORTS.len(), 0..3))
}

fn made(
    (deny, from, to, ports): &(bool, usize, usize, Vec<usize>),
    number: usize,
) -> Option<Statement> {
    let one = Statement {
        name: name(&format!("s{number}")),
        action: if *deny { Action::Deny } else { Action::Allow },
        from: WHO[*from].parse().unwrap(),
        to: WHO[*to].parse().unwrap(),
        ports: ports.iter().map(|port| PORTS[*port].parse().unwrap()).collect(),
    };
    check(Kind::Policy, &one).is_ok().then_some(one)
}

fn any_end() -> impl Strategy<Value = Option<(usize, usize)>> {
    proptest::option::weighted(0.8, (0..4_usize, 0..3_usize))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_kernel_is_told_what_the_evaluator_says(
        kinds: [(bool, bool); 3],
        workloads in proptest::collection::vec((0_u8..3, 1_u8..8), 4),
        statements in proptest::collection::vec(any_statement(), 0..6),
        defaults in proptest::collection::vec((any::<bool>(), any::<bool>()), 3),
        flows in proptest::collection::vec((any_end(), any_end(), 0_u16..5, any::<bool>(), any::<bool>()), 12),
    ) {
        let action = |deny: bool| if deny { Action::Deny } else { Action::Allow };
        let mut orders = Orders::default();
        orders.policies.policies = statements.iter().enumerate().filter_map(|(n, one)| made(one, n)).collect();
        orders.policies.defaults = NETWORKS.iter().zip(&defaults)
            .map(|(network, (i, e))| (name(network), Defaults { ingress: action(*i), egress: action(*e) })).collect();
        let scene = Scene::new(kinds, &workloads, orders);
        for (from, to, carried, is_ipv4, published) in flows {
            let carried = [
                Some(Ports::one(Protocol::Tcp, 80)), Some(Ports::one(Protocol::Tcp, 88)),
                Some(Ports::one(Protocol::Udp, 53)), Some(Ports::Ping), None,
            ][usize::from(carried)];
            let (from, to) = (scene.party(from, is_ipv4), scene.party(to, is_ipv4));
            if from.party.member.is_none() && to.party.member.is_none() {
                continue;
            }
            let said = scene.decide(&from, &to, carried, published);
            let ends = (&from, &to);
            prop_assert_eq!(scene.interpret(Family::Inet, ends, carried, published), said);
            let isolated = scene.networks.iter().any(|one| one.isolate && from.interface == one.bridge());
            if from.interface == to.interface && !isolated && !published {
                prop_assert_eq!(scene.interpret(Family::Bridge, ends, carried, false), said, "on the bridge");
            }
        }
    }

    #[test]
    fn elements_that_come_and_go_make_the_whole(
        workloads in proptest::collection::vec((0_u8..3, 1_u8..8), 4),
        statements in proptest::collection::vec(any_statement(), 0..6),
        steps in proptest::collection::vec(0_usize..4, 1..12),
    ) {
        let mut orders = Orders::default();
        orders.policies.policies = statements.iter().enumerate().filter_map(|(n, one)| made(one, n)).collect();
        let scene = Scene::new([(false, false); 3], &workloads, orders);
        let (mut there, mut kernel) = (Vec::<Attached>::new(), BTreeSet::new());
        let key = |one: &ruleset::Element| (one.family, one.set.to_string(), one.to_string());
        for step in steps {
            let one = &scene.attached[step];
            let others: Vec<Attached> = there.iter().filter(|other| *other != one).cloned().collect();
            let own = ruleset::elements(one, &others, &scene.orders);
            match others.len() == there.len() {
                true => {
                    kernel.extend(own.iter().map(key));
                    there.push(one.clone());
                }
                false => {
                    for element in &own {
                        prop_assert!(kernel.remove(&key(element)), "{element} was not there");
                    }
                    there = others;
                }
            }
            let whole = ruleset::all_elements(&[], &there, &scene.orders);
            prop_assert_eq!(&kernel, &whole.iter().map(key).collect::<BTreeSet<_>>());
        }
    }
}
