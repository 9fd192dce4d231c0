//! The firewall: four tables of nftables, rendered whole from the networks there are, the workloads that are connected, and what was asked
//! for of who may reach whom.
//!
//! `inet volt` lets members out by the host's address, leads published ports in, and keeps networks apart from each other and from what
//! is outside. `bridge volt` stands before every port of a bridge and lets through only what a member sends as itself. `ip volt` and
//! `ip6 volt` ask the host's own rules about published ports (see [`gate`]). What changes when a workload comes or goes are [`Element`]s
//! of sets and maps, never rules.
//!
//! The comment of each table is a digest of its rules: by it others see what a table was rendered from.

use super::derived::hash;
use super::policy::{Orders, Who, render};
use super::{Attached, Mac, Network, Protocol, Published, gate};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv6Addr};

/// What both tables are called.
pub const TABLE: &str = "volt";

/// A family of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// What the host routes.
    Inet,
    /// What crosses a bridge.
    Bridge,
    /// What the host routes of IPv4.
    Ip,
    /// What the host routes of IPv6.
    Ip6,
}

impl Family {
    /// Those in which there is a table.
    pub const ALL: [Self; 4] = [Self::Inet, Self::Bridge, Self::Ip, Self::Ip6];
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
        })
    }
}

/// A part of a key or value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// An interface.
    Interface(String),
    /// A hardware address.
    Mac(Mac),
    /// An address.
    Ip(IpAddr),
    /// What a packet carries, by its number in the header.
    Protocol(u8),
    /// A port.
    Port(u16),
    /// A hardware address within a packet, which nftables knows as bytes alone.
    RawMac(Mac),
    /// An address within a packet.
    RawIp(Ipv6Addr),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "\"{name}\""),
            Self::Mac(mac) => mac.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
            Self::Protocol(number) => {
                let named =
                    [Protocol::Tcp, Protocol::Udp].into_iter().find(|p| p.number() == *number);
                match named {
                    Some(protocol) => protocol.fmt(f),
                    None => number.fmt(f),
                }
            }
            Self::Port(port) => port.fmt(f),
            Self::RawMac(Mac([a, b, c, d, e, g])) => {
                write!(f, "0x{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{g:02x}")
            }
            Self::RawIp(ip) => write!(f, "0x{:032x}", ip.to_bits()),
        }
    }
}

/// An element of a set, or of a map where it has a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The table's family.
    pub family: Family,
    /// The set or map.
    pub set: Cow<'static, str>,
    /// What is looked up.
    pub key: Vec<Field>,
    /// What is found; empty in a set.
    pub value: Vec<Field>,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.key))?;
        if self.value.is_empty() { Ok(()) } else { write!(f, " : {}", joined(&self.value)) }
    }
}

fn joined(fields: &[Field]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(" . ")
}

/// What a connected workload is among the rules, beside the others that are connected.
#[must_use]
pub fn elements(attached: &Attached, others: &[Attached], orders: &Orders) -> Vec<Element> {
    elements_among(attached, others, orders, &orders.groups())
}

fn elements_among(
    attached: &Attached,
    others: &[Attached],
    orders: &Orders,
    groups: &[Who],
) -> Vec<Element> {
    let mut all = render::elements(attached, others, orders, groups);
    for endpoint in &attached.endpoints {
        let mut own = |set: &'static str, fields: &[Field]| {
            let mut key = vec![Field::Interface(endpoint.port.clone())];
            key.extend_from_slice(fields);
            let set = set.into();
            all.push(Element { family: Family::Bridge, set, key, value: Vec::new() });
        };
        let mac = Field::Mac(endpoint.mac);
        own("own", std::slice::from_ref(&mac));
        own("neighbor_mac", &[Field::RawMac(endpoint.mac)]);
        own("own4", &[mac.clone(), Field::Ip(endpoint.ip.into())]);
        for ip in endpoint.ipv6.into_iter().chain([endpoint.mac.link_local()]) {
            own("own6", &[mac.clone(), Field::Ip(ip.into())]);
            own("neighbor_ip", &[Field::RawIp(ip)]);
        }
    }
    all.extend(attached.published.iter().flat_map(led_in));
    all
}

/// The way in of a published port. By the loopback's addresses a proxy leads in: a packet with such an address may not leave the host.
fn led_in(published: &Published) -> Vec<Element> {
    if published.address.is_some_and(|address| address.is_loopback()) {
        return Vec::new();
    }
    let ips = [Some(IpAddr::V4(published.ip)), published.ipv6.map(IpAddr::V6)];
    let meant = |to: &IpAddr| published.address.is_none_or(|own| own.is_ipv4() == to.is_ipv4());
    ips.into_iter().flatten().filter(meant).flat_map(|to| led_to(published, to)).collect()
}

/// That it leads to this address, and whether past the host's own rules.
fn led_to(published: &Published, to: IpAddr) -> [Element; 2] {
    let mut key: Vec<Field> = published.address.map(Field::Ip).into_iter().collect();
    key.extend([Field::Protocol(published.protocol.number()), Field::Port(published.host)]);
    let by_address = published.address.is_some();
    let (ways, exposed, asked) = match (to.is_ipv4(), by_address) {
        (true, false) => ("ports4", "exposed", Family::Ip),
        (true, true) => ("host_ports4", "exposed4", Family::Ip),
        (false, false) => ("ports6", "exposed", Family::Ip6),
        (false, true) => ("host_ports6", "exposed6", Family::Ip6),
    };
    let element = |family, set: &'static str, value| Element {
        family,
        set: set.into(),
        key: key.clone(),
        value,
    };
    let way = element(Family::Inet, ways, vec![Field::Ip(to), Field::Port(published.container)]);
    let by = match (published.expose, by_address) {
        (true, _) => element(Family::Inet, exposed, Vec::new()),
        (false, false) => element(asked, "published", Vec::new()),
        (false, true) => element(asked, "published_at", Vec::new()),
    };
    [way, by]
}

/// The sets and maps of a table with their types.
const INET_SETS: [(&str, &str, &str); 9] = [
    ("set", "bridges", "ifname"),
    ("set", "internal", "ifname"),
    ("set", "exposed", "inet_proto . inet_service"),
    ("set", "exposed4", "ipv4_addr . inet_proto . inet_service"),
    ("set", "exposed6", "ipv6_addr . inet_proto . inet_service"),
    ("map", "ports4", "inet_proto . inet_service : ipv4_addr . inet_service"),
    ("map", "ports6", "inet_proto . inet_service : ipv6_addr . inet_service"),
    ("map", "host_ports4", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service"),
    ("map", "host_ports6", "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service"),
];
const BRIDGE_SETS: [(&str, &str, &str); 5] = [
    ("set", "own", "ifname . ether_addr"),
    ("set", "own4", "ifname . ether_addr . ipv4_addr"),
    ("set", "own6", "ifname . ether_addr . ipv6_addr"),
    // Where neighbour discovery says who has which address: the address it is about, and the option behind that. A question by DHCP says
    // elsewhere who asks (`chaddr` of RFC 2131), as many bits of it.
    ("set", "neighbor_ip", "typeof iifname . @th,64,128"),
    ("set", "neighbor_mac", "typeof iifname . @th,208,48"),
];

const IP_SETS: [(&str, &str, &str); 2] = [
    ("set", "published", "inet_proto . inet_service"),
    ("set", "published_at", "ipv4_addr . inet_proto . inet_service"),
];
const IP6_SETS: [(&str, &str, &str); 2] = [
    ("set", "published", "inet_proto . inet_service"),
    ("set", "published_at", "ipv6_addr . inet_proto . inet_service"),
];

/// The sets and maps that a table has whatever was asked for.
const fn own_sets(family: Family) -> &'static [(&'static str, &'static str, &'static str)] {
    match family {
        Family::Inet => &INET_SETS,
        Family::Bridge => &BRIDGE_SETS,
        Family::Ip => &IP_SETS,
        Family::Ip6 => &IP6_SETS,
    }
}

/// What every `inet volt` has beside what its networks need.
const INPUT: &str = "\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n";
const INPUT_OF_INTERNAL: &str = "\t\tiifname != @internal accept
\t\tct state established,related accept
\t\tmeta l4proto { icmp, icmpv6 } accept
";
const INPUT_END: &str =
    "\t\tdrop comment \"an internal network reaches nothing of the host\"\n\t}\n";
const LEAD_IN: &str = "\tchain lead_in {
\t\tdnat ip to ip daddr . meta l4proto . th dport map @host_ports4
\t\tdnat ip to meta l4proto . th dport map @ports4
\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @host_ports6
\t\tdnat ip6 to meta l4proto . th dport map @ports6
\t}
";
const NAT_IN: &str = "\t\tfib daddr type != local accept
\t\tmeta l4proto . th dport @exposed goto lead_in
\t\tip daddr . meta l4proto . th dport @exposed4 goto lead_in
\t\tip6 daddr . meta l4proto . th dport @exposed6 goto lead_in
\t\tiifname @bridges goto lead_in
";
const NAT_OUT: &str = "\t\toifname != \"lo\" accept
\t\tip daddr 127.0.0.0/8 accept comment \"a proxy leads in\"
\t\tip6 daddr ::1 accept
\t\tgoto lead_in
\t}
";
const OWN: &str = "\tchain prerouting {
\t\ttype filter hook prerouting priority -300; policy accept;
\t\tiifname != \"vo-*\" accept
\t\tudp sport { 67, 547 } udp dport { 68, 546 } drop comment \"the host gives addresses\"
\t\tudp dport 67 ip frag-off & 0x3fff != 0 drop comment \"asks in parts\"
\t\tudp dport 67 iifname . @th,288,48 != @neighbor_mac drop comment \"asks for another's address\"
\t\tiifname . ether saddr . ip saddr @own4 accept
\t\tip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 iifname . ether saddr @own accept
\t\tiifname . ether saddr . arp saddr ip @own4 iifname . arp saddr ether . arp saddr ip @own4 accept
\t\ticmpv6 type { nd-router-advert, nd-redirect } drop comment \"the host is the router\"
\t\ticmpv6 type nd-neighbor-advert iifname . @th,64,128 != @neighbor_ip drop comment \"not its address\"
\t\ticmpv6 type nd-neighbor-advert @th,192,8 != 2 drop
\t\ticmpv6 type nd-neighbor-advert iifname . @th,208,48 != @neighbor_mac drop comment \"not its hardware address\"
\t\tip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @neighbor_ip iifname . ether saddr @own accept
\t\ticmpv6 type nd-neighbor-solicit @th,192,8 != 1 drop
\t\ticmpv6 type nd-neighbor-solicit iifname . @th,208,48 != @neighbor_mac drop
\t\tiifname . ether saddr . ip6 saddr @own6 accept
\t\tdrop comment \"nobody sends as somebody else\"
\t}
";

/// All that the sets and maps have in them.
#[must_use]
pub fn all_elements(networks: &[Network], attached: &[Attached], orders: &Orders) -> Vec<Element> {
    let groups = orders.groups();
    let mut all: Vec<Element> =
        attached.iter().flat_map(|one| elements_among(one, attached, orders, &groups)).collect();
    for network in networks {
        let mut bridge = |set: &'static str| {
            let key = vec![Field::Interface(network.bridge())];
            let set = set.into();
            all.push(Element { family: Family::Inet, set, key, value: Vec::new() });
        };
        bridge("bridges");
        if network.internal {
            bridge("internal");
        }
    }
    all
}

/// The sets and maps whose elements are [`all_elements`].
#[must_use]
pub fn sets_of_elements(orders: &Orders) -> Vec<(Family, Cow<'static, str>)> {
    let own = Family::ALL.into_iter().flat_map(|family| {
        own_sets(family).iter().map(move |(_, name, _)| (family, Cow::Borrowed(*name)))
    });
    let asked_for = render::sets(orders).into_iter().map(|(family, name, _)| (family, name));
    own.chain(asked_for).collect()
}

/// What the firewall is rendered from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The networks there are.
    pub networks: &'a [Network],
    /// Who is connected.
    pub attached: &'a [Attached],
    /// What was asked for.
    pub orders: &'a Orders,
    /// The number of the interface by which the gate is entered.
    pub gate: u32,
}

/// A table as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its family.
    pub family: Family,
    /// How many rules it has.
    pub rules: usize,
    /// Its comment, which tells its rules from others.
    pub comment: String,
    chains: String,
}

/// All tables as they are to be, whatever is in their sets.
#[must_use]
pub fn tables(facts: &Facts<'_>) -> [Table; 4] {
    Family::ALL.map(|family| {
        let mut chains = String::new();
        match family {
            Family::Inet => inet(&mut chains, facts),
            Family::Bridge => {
                chains.push_str(OWN);
                render::bridge(&mut chains, facts.orders, facts.networks);
            }
            Family::Ip | Family::Ip6 => gate::chains(&mut chains, family, facts.networks),
        }
        let empty = sets(family, facts.orders, &[]);
        let digest = hash(&[&empty, &chains, &facts.gate.to_string()]);
        Table { family, rules: count_rules(&chains), comment: format!("{digest:016x}"), chains }
    })
}

/// How many rules there are: each stands in a line of its chain, behind what the chain is.
fn count_rules(chains: &str) -> usize {
    let is_rule = |line: &&str| line.starts_with("\t\t") && !line.starts_with("\t\ttype ");
    let outside_sets = chains.split("\tchain ").skip(1);
    outside_sets
        .map(|chain| chain.split("\t}").next().unwrap_or_default().lines().filter(is_rule).count())
        .sum()
}

/// Renders all tables, for one transaction that puts them in the place of what there was. `flows` are who has begun what with whom on the
/// bridges: answers to that go on.
#[must_use]
pub fn render(facts: &Facts<'_>, flows: &[Element]) -> String {
    let mut out = String::new();
    let elements = all_elements(facts.networks, facts.attached, facts.orders);
    for Table { family, comment, chains, .. } in tables(facts) {
        let own: Vec<&Element> = elements.iter().filter(|one| one.family == family).collect();
        let sets = sets(family, facts.orders, &own);
        let _ = writeln!(
            out,
            "table {family} {TABLE}\ndelete table {family} {TABLE}\ntable {family} {TABLE} {{"
        );
        let _ = writeln!(out, "\tcomment \"{comment}\"\n{sets}{chains}}}");
    }
    let is_there = out.contains("\tset flows4 {");
    for set in ["flows4", "flows6"] {
        let own: Vec<String> =
            flows.iter().filter(|one| one.set == set).map(ToString::to_string).collect();
        if is_there && !own.is_empty() {
            let _ = writeln!(out, "add element bridge {TABLE} {set} {{ {} }}", own.join(", "));
        }
    }
    out
}

/// What takes all tables away, whether or not they are there.
#[must_use]
pub fn nothing() -> String {
    Family::ALL
        .map(|family| format!("table {family} {TABLE}\ndelete table {family} {TABLE}\n"))
        .concat()
}

fn sets(family: Family, orders: &Orders, elements: &[&Element]) -> String {
    let mut by_set: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for element in elements {
        by_set.entry(&element.set).or_default().push(element.to_string());
    }
    let mut out = String::new();
    let mut set = |kind: &str, name: &str, of: &str| {
        let keyword = if of.starts_with("typeof ") { "" } else { "type " };
        let _ = writeln!(out, "\t{kind} {name} {{\n\t\t{keyword}{of};");
        if let Some(own) = by_set.get_mut(name) {
            // Two workloads may share one.
            own.sort_unstable();
            own.dedup();
            let _ = writeln!(out, "\t\telements = {{ {} }}", own.join(",\n\t\t\t"));
        }
        out.push_str("\t}\n");
    };
    own_sets(family).iter().for_each(|(kind, name, of)| set(kind, name, of));
    for (_, name, of) in render::sets(orders).into_iter().filter(|(of, _, _)| *of == family) {
        set("set", &name, of);
    }
    out
}

fn inet(out: &mut String, facts: &Facts<'_>) {
    martians(out, facts.networks);
    forward(out, facts.orders, facts.networks);
    out.push_str(INPUT);
    let mut told = String::new();
    tell_members(&mut told, facts.networks.iter());
    render::input(out, facts.orders, &told);
    out.push_str(INPUT_OF_INTERNAL);
    tell_members(out, facts.networks.iter().filter(|network| network.internal));
    out.push_str(INPUT_END);
    lead_in(out, facts.networks);
    postrouting(out, facts.networks);
}

/// What lets members ask the host for names and addresses.
fn tell_members<'a>(out: &mut String, networks: impl Iterator<Item = &'a Network>) {
    for network in networks {
        for (family, gateway) in names(network) {
            let bridge = network.bridge();
            let _ = writeln!(
                out,
                "\t\tiifname \"{bridge}\" {family} daddr {gateway} th dport 53 accept comment \"names\""
            );
        }
        if network.dhcp {
            let bridge = network.bridge();
            let _ = writeln!(
                out,
                "\t\tiifname \"{bridge}\" udp dport {{ 67, 547 }} accept comment \"addresses\""
            );
        }
    }
}

/// Where names of a network are asked for.
fn names(network: &Network) -> impl Iterator<Item = (&'static str, IpAddr)> {
    let ipv4 = ("ip", IpAddr::V4(network.gateway()));
    let ipv6 = network.gateway_ipv6().map(|gateway| ("ip6", IpAddr::V6(gateway)));
    [Some(ipv4), ipv6].into_iter().flatten().filter(|_| network.dns)
}

/// What nobody sends who is where he is: to the loopback from elsewhere, as a member of a network from without.
fn martians(out: &mut String, networks: &[Network]) {
    out.push_str(
        "\tchain martians {
\t\ttype filter hook prerouting priority raw; policy accept;
\t\tiifname \"lo\" accept
\t\tip daddr 127.0.0.0/8 drop comment \"the loopback is the host's own\"
",
    );
    let subnets = |of: &dyn Fn(&Network) -> Option<String>| -> Vec<String> {
        networks.iter().filter_map(of).collect()
    };
    let ipv4 = subnets(&|network| Some(network.subnet.to_string()));
    let ipv6 = subnets(&|network| network.ipv6.map(|subnet| subnet.to_string()));
    for (family, subnets) in [("ip", ipv4), ("ip6", ipv6)] {
        if !subnets.is_empty() {
            let subnets = subnets.join(", ");
            let _ = writeln!(
                out,
                "\t\tiifname != @bridges {family} saddr {{ {subnets} }} drop comment \"members are on their bridges\""
            );
        }
    }
    out.push_str("\t}\n");
}

fn forward(out: &mut String, orders: &Orders, networks: &[Network]) {
    out.push_str(
        "\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname != @bridges oifname != @bridges accept
\t\tct state vmap { established : accept, related : accept, invalid : drop }
",
    );
    render::forward(out, orders, networks);
    out.push_str("\t}\n");
}

/// What published ports do. Names are asked for at the gateways, whoever publishes their port by all addresses.
fn lead_in(out: &mut String, networks: &[Network]) {
    out.push_str(LEAD_IN);
    let mut asked = String::new();
    for (family, gateway) in networks.iter().flat_map(names) {
        let _ = writeln!(asked, "\t\t{family} daddr {gateway} th dport 53 accept");
    }
    out.push_str(
        "\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n",
    );
    out.push_str(&asked);
    out.push_str(NAT_IN);
    let _ = writeln!(out, "\t\tiifname \"{}\" goto lead_in\n\t}}", gate::OUT_OF);
    out.push_str("\tchain output {\n\t\ttype nat hook output priority -100; policy accept;\n");
    out.push_str(&asked);
    out.push_str(NAT_OUT);
}

fn postrouting(out: &mut String, networks: &[Network]) {
    out.push_str(
        "\tchain postrouting {
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname \"lo\" accept comment \"what the host says to itself goes nowhere\"
",
    );
    for network in networks {
        let bridge = network.bridge();
        let mut subnets = vec![("ip", network.subnet.to_string())];
        subnets.extend(network.ipv6.map(|subnet| ("ip6", subnet.to_string())));
        for (family, subnet) in subnets {
            if !network.internal {
                let _ =
                    writeln!(out, "\t\t{family} saddr {subnet} oifname != \"{bridge}\" masquerade");
            }
            // Whoever reaches a member by a published port must get its answers from the host, not from the member.
            let _ = writeln!(
                out,
                "\t\t{family} saddr {subnet} oifname \"{bridge}\" ct status dnat masquerade"
            );
        }
    }
    out.push_str("\t}\n");
}
