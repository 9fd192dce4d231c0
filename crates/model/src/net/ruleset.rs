//! The firewall: two tables of nftables, rendered whole from the networks there are, the workloads that are connected, and what was asked
//! for of who may reach whom.
//!
//! `inet volt` lets members out by the host's address, leads published ports in, and keeps networks apart from each other and from what
//! is outside. `bridge volt` stands before every port of a bridge and lets through only what a member sends as itself. What changes
//! when a workload comes or goes are [`Element`]s of sets and maps, never rules.

use super::policy::{Orders, Who, render};
use super::{Attached, Mac, Network, Protocol, Published};
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
}

/// A part of a key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// An interface.
    Interface(String),
    /// A hardware address.
    Mac(Mac),
    /// An address.
    Ip(IpAddr),
    /// What a packet carries.
    Protocol(Protocol),
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
            Self::Protocol(protocol) => protocol.fmt(f),
            Self::Port(port) => port.fmt(f),
            Self::RawMac(Mac([a, b, c, d, e, g])) => {
                write!(f, "0x{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{g:02x}")
            }
            Self::RawIp(ip) => write!(f, "0x{:032x}", ip.to_bits()),
        }
    }
}

/// An element of a set, or of a map where it has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What a connected workload is among the rules.
#[must_use]
pub fn elements(attached: &Attached, orders: &Orders) -> Vec<Element> {
    elements_among(attached, &orders.groups())
}

fn elements_among(attached: &Attached, groups: &[Who]) -> Vec<Element> {
    let mut all = render::elements(attached, groups);
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
    let way = |set: &'static str, address: Option<IpAddr>, to: IpAddr| {
        let mut key: Vec<Field> = address.map(Field::Ip).into_iter().collect();
        key.extend([Field::Protocol(published.protocol), Field::Port(published.host)]);
        let value = vec![Field::Ip(to), Field::Port(published.container)];
        Element { family: Family::Inet, set: set.into(), key, value }
    };
    let ipv6 = published.ipv6.map(IpAddr::V6);
    match published.address {
        Some(address) if address.is_loopback() => Vec::new(),
        Some(IpAddr::V4(_)) => vec![way("host_ports4", published.address, published.ip.into())],
        Some(IpAddr::V6(_)) => {
            ipv6.map(|to| way("host_ports6", published.address, to)).into_iter().collect()
        }
        None => {
            let mut all = vec![way("ports4", None, published.ip.into())];
            all.extend(ipv6.map(|to| way("ports6", None, to)));
            all
        }
    }
}

/// The sets and maps of a table with their types.
const INET_SETS: [(&str, &str, &str); 6] = [
    ("set", "bridges", "ifname"),
    ("set", "internal", "ifname"),
    ("map", "ports4", "inet_proto . inet_service : ipv4_addr . inet_service"),
    ("map", "ports6", "inet_proto . inet_service : ipv6_addr . inet_service"),
    ("map", "host_ports4", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service"),
    ("map", "host_ports6", "ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service"),
];
const BRIDGE_SETS: [(&str, &str, &str); 5] = [
    ("set", "own", "ifname . ether_addr"),
    ("set", "own4", "ifname . ether_addr . ipv4_addr"),
    ("set", "own6", "ifname . ether_addr . ipv6_addr"),
    // Where neighbour discovery says who has which address: the address it is about, and the option behind that.
    ("set", "neighbor_ip", "typeof iifname . @th,64,128"),
    ("set", "neighbor_mac", "typeof iifname . @th,208,48"),
];

/// What every `inet volt` has beside what its networks need.
const INPUT: &str = "\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n";
const INPUT_OF_INTERNAL: &str = "\t\tiifname != @internal accept
\t\tct state established,related accept
\t\tmeta l4proto { icmp, icmpv6 } accept
\t\tth dport 53 accept comment \"names\"
\t\tudp dport { 67, 547 } accept comment \"addresses\"
\t\tdrop comment \"an internal network reaches nothing of the host\"
\t}
";
const NAT_IN: &str =
    "\t\tfib daddr type local dnat ip to ip daddr . meta l4proto . th dport map @host_ports4
\t\tfib daddr type local dnat ip to meta l4proto . th dport map @ports4
\t\tfib daddr type local dnat ip6 to ip6 daddr . meta l4proto . th dport map @host_ports6
\t\tfib daddr type local dnat ip6 to meta l4proto . th dport map @ports6
\t}
";
const NAT_OUT: &str = "\t\toifname != \"lo\" accept
\t\tip daddr 127.0.0.0/8 accept comment \"a proxy leads in\"
\t\tip6 daddr ::1 accept
\t\tdnat ip to ip daddr . meta l4proto . th dport map @host_ports4
\t\tdnat ip to meta l4proto . th dport map @ports4
\t\tdnat ip6 to ip6 daddr . meta l4proto . th dport map @host_ports6
\t\tdnat ip6 to meta l4proto . th dport map @ports6
\t}
";
const OWN: &str = "\tchain prerouting {
\t\ttype filter hook prerouting priority -300; policy accept;
\t\tiifname != \"vt-*\" accept
\t\tudp sport { 67, 547 } udp dport { 68, 546 } drop comment \"the host gives addresses\"
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
        attached.iter().flat_map(|one| elements_among(one, &groups)).collect();
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
    let inet = INET_SETS.iter().map(|(_, name, _)| (Family::Inet, Cow::Borrowed(*name)));
    let bridge = BRIDGE_SETS.iter().map(|(_, name, _)| (Family::Bridge, Cow::Borrowed(*name)));
    let groups = orders.groups();
    let asked_for = render::sets(&groups).map(|(family, name, _)| (family, Cow::Owned(name)));
    inet.chain(bridge).chain(asked_for).collect()
}

/// How many rules a text has that [`render`] wrote, in each family: each stands in a line of its chain, behind what the chain is.
#[must_use]
pub fn count_rules(text: &str) -> [(Family, usize); 2] {
    let mut counts = [(Family::Inet, 0), (Family::Bridge, 0)];
    let (mut table, mut in_chain) = (0, false);
    for line in text.lines() {
        match line {
            _ if line.starts_with("table ") => {
                table = usize::from(line.starts_with("table bridge"));
            }
            "\t}" => in_chain = false,
            _ if line.starts_with("\tchain ") => in_chain = true,
            _ if in_chain && !line.starts_with("\t\ttype ") => counts[table].1 += 1,
            _ => {}
        }
    }
    counts
}

/// Renders both tables, for one transaction that puts them in the place of what there was.
#[must_use]
pub fn render(networks: &[Network], attached: &[Attached], orders: &Orders) -> String {
    let (elements, groups) = (all_elements(networks, attached, orders), orders.groups());
    let mut by_set: BTreeMap<(Family, &str), Vec<&Element>> = BTreeMap::new();
    for element in &elements {
        by_set.entry((element.family, &element.set)).or_default().push(element);
    }
    let mut out = String::from("table inet volt\ndelete table inet volt\ntable inet volt {\n");
    sets(&mut out, (Family::Inet, &INET_SETS), &groups, &by_set);
    forward(&mut out, orders, networks, &groups);
    out.push_str(INPUT);
    render::input(&mut out, orders, &groups);
    out.push_str(INPUT_OF_INTERNAL);
    lead_in(&mut out, networks);
    postrouting(&mut out, networks);
    out.push_str("}\ntable bridge volt\ndelete table bridge volt\ntable bridge volt {\n");
    sets(&mut out, (Family::Bridge, &BRIDGE_SETS), &groups, &by_set);
    out.push_str(OWN);
    render::bridge(&mut out, orders, networks, &groups);
    out.push_str("}\n");
    out
}

/// What takes both tables away, whether or not they are there.
pub const NOTHING: &str =
    "table inet volt\ndelete table inet volt\ntable bridge volt\ndelete table bridge volt\n";

fn sets(
    out: &mut String,
    (family, own): (Family, &[(&str, &str, &str)]),
    groups: &[Who],
    elements: &BTreeMap<(Family, &str), Vec<&Element>>,
) {
    let mut set = |kind: &str, name: &str, of: &str| {
        let keyword = if of.starts_with("typeof ") { "" } else { "type " };
        let _ = writeln!(out, "\t{kind} {name} {{\n\t\t{keyword}{of};");
        if let Some(own) = elements.get(&(family, name)) {
            let all: Vec<String> = own.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "\t\telements = {{ {} }}", all.join(",\n\t\t\t"));
        }
        out.push_str("\t}\n");
    };
    own.iter().for_each(|(kind, name, of)| set(kind, name, of));
    for (_, name, of) in render::sets(groups).filter(|(of, _, _)| *of == family) {
        set("set", &name, of);
    }
}

fn forward(out: &mut String, orders: &Orders, networks: &[Network], groups: &[Who]) {
    out.push_str(
        "\tchain forward {
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname != @bridges oifname != @bridges accept
\t\tct state vmap { established : accept, related : accept, invalid : drop }
",
    );
    render::forward(out, orders, networks, groups);
    out.push_str("\t}\n");
}

/// What published ports do. Names are asked for at the gateways, whoever publishes their port by all addresses.
fn lead_in(out: &mut String, networks: &[Network]) {
    let mut names = String::new();
    for network in networks.iter().filter(|network| network.dns) {
        let _ = writeln!(names, "\t\tip daddr {} th dport 53 accept", network.gateway());
        if let Some(gateway) = network.gateway_ipv6() {
            let _ = writeln!(names, "\t\tip6 daddr {gateway} th dport 53 accept");
        }
    }
    out.push_str(
        "\tchain prerouting {\n\t\ttype nat hook prerouting priority dstnat; policy accept;\n",
    );
    out.push_str(&names);
    out.push_str(NAT_IN);
    out.push_str("\tchain output {\n\t\ttype nat hook output priority -100; policy accept;\n");
    out.push_str(&names);
    out.push_str(NAT_OUT);
}

fn postrouting(out: &mut String, networks: &[Network]) {
    out.push_str(
        "\tchain postrouting {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n",
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
