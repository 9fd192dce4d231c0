//! The list of rules as nftables has it: the same list in `inet volt`, and in `bridge volt` what of it is about members of one network.
//!
//! Members of one network are peers on its bridge, so what they send each other no rule of `inet` sees, unless the host has
//! bridge-nf-call-iptables on; then both see it and say the same. The bridge's chain knows no connections of the kernel's: of TCP the first
//! packet is judged, of pings the question; for what else has ports it keeps a set of its own of who has begun with whom.

use super::{
    Action, By, Orders, Ports, Rule, Side, Statement, Who, belongs, compile, compile_input,
};
use crate::net::derived::hash;
use crate::net::ruleset::{Element, Family, Field};
use crate::net::{Attached, Endpoint, Network, Protocol, bridge_name};
use ipnet::IpNet;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Which chain a rule is rendered for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Forward,
    Input,
    Bridge,
}

/// The sets of pairs: who may not, and who may, reach whom by which port.
const PAIRS: [(Family, &str, &str); 6] = [
    (Family::Inet, "denied4", "ipv4_addr . ipv4_addr . inet_proto . inet_service"),
    (Family::Inet, "denied6", "ipv6_addr . ipv6_addr . inet_proto . inet_service"),
    (Family::Inet, "allowed4", "ipv4_addr . ipv4_addr . inet_proto . inet_service"),
    (Family::Inet, "allowed6", "ipv6_addr . ipv6_addr . inet_proto . inet_service"),
    (Family::Bridge, "denied", "ifname . ifname . inet_proto . inet_service"),
    (Family::Bridge, "allowed", "ifname . ifname . inet_proto . inet_service"),
];

/// The sets that the kernel has of groups and of pairs, with their types.
pub(in crate::net) fn sets(orders: &Orders) -> Vec<(Family, Cow<'static, str>, &'static str)> {
    let mut all = Vec::new();
    for who in orders.groups() {
        let name = set_name(&who);
        all.push((Family::Bridge, format!("{name}_p").into(), "ifname"));
        if !matches!(who, Who::Network(_)) {
            all.push((Family::Inet, format!("{name}_4").into(), "ipv4_addr"));
            all.push((Family::Inet, format!("{name}_6").into(), "ipv6_addr"));
        }
    }
    if orders.has_pairs() {
        all.extend(PAIRS.map(|(family, name, of)| (family, name.into(), of)));
    }
    all
}

/// What a connected workload has in these sets: its ports, since on a bridge addresses don't tell who gets what is for many; where
/// the host routes, its addresses, also those that interfaces give themselves. `others` are the rest of those that are connected.
pub(in crate::net) fn elements(
    attached: &Attached,
    others: &[Attached],
    orders: &Orders,
    groups: &[Who],
) -> Vec<Element> {
    let mut all = Vec::new();
    for who in groups {
        for endpoint in attached.endpoints.iter().filter(|e| belongs(who, attached, &e.network)) {
            let mut add = |family, of: &str, field| {
                let set = format!("{}_{of}", set_name(who)).into();
                all.push(Element { family, set, key: vec![field], value: Vec::new() });
            };
            add(Family::Bridge, "p", Field::Interface(endpoint.port.clone()));
            if matches!(who, Who::Network(_)) {
                continue;
            }
            add(Family::Inet, "4", Field::Ip(endpoint.ip.into()));
            for ip in endpoint.ipv6.into_iter().chain([endpoint.mac.link_local()]) {
                add(Family::Inet, "6", Field::Ip(ip.into()));
            }
        }
    }
    for (_, one) in orders.statements().filter(|(_, one)| one.is_pair()) {
        let (Who::Workload(from), Who::Workload(to)) = (&one.from, &one.to) else { continue };
        if ![from, to].contains(&&attached.workload) {
            continue;
        }
        let mut known = others.iter().chain([attached]);
        let from = known.clone().find(|one| one.workload == *from);
        if let (Some(from), Some(to)) = (from, known.find(|one| one.workload == *to)) {
            let own = from.endpoints.iter().flat_map(|from| pairs(one, from, &to.endpoints));
            for element in own {
                // Two statements may say the same.
                if !all.contains(&element) {
                    all.push(element);
                }
            }
        }
    }
    all
}

/// What the sets of pairs have of a statement for one connection of whom it begins with, and those of whom it is about.
fn pairs(one: &Statement, from: &Endpoint, to: &[Endpoint]) -> Vec<Element> {
    let name = if one.action == Action::Deny { "denied" } else { "allowed" };
    let mut all = Vec::new();
    let mut add = |family, set: String, from: &Field, to: &Field| {
        for ports in &one.ports {
            let Ports::Row(protocol, port, _) = ports else { continue };
            let carried = [Field::Protocol(protocol.number()), Field::Port(*port)];
            let key = [from.clone(), to.clone()].into_iter().chain(carried).collect();
            all.push(Element { family, set: set.clone().into(), key, value: Vec::new() });
        }
    };
    for to in to {
        add(Family::Inet, format!("{name}4"), &Field::Ip(from.ip.into()), &Field::Ip(to.ip.into()));
        if let (Some(from), Some(to)) = (from.ipv6, to.ipv6) {
            add(Family::Inet, format!("{name}6"), &Field::Ip(from.into()), &Field::Ip(to.into()));
        }
        if from.network == to.network {
            let own = |one: &Endpoint| Field::Ip(one.mac.link_local().into());
            add(Family::Inet, format!("{name}6"), &own(from), &own(to));
            let port = |one: &Endpoint| Field::Interface(one.port.clone());
            add(Family::Bridge, name.to_owned(), &port(from), &port(to));
        }
    }
    all
}

const NEIGHBORS: &str = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, \
     mld-listener-report, mld-listener-done, mld2-listener-report } accept comment \"finding each other\"";

/// What `inet volt` has in its chain `forward` behind what belongs to connections that are known.
pub(in crate::net) fn forward(out: &mut String, orders: &Orders, networks: &[Network]) {
    let asked_for = |by: &By| matches!(by, By::Statement(..) | By::Default(..));
    let mut policed = false;
    for rule in once(compile(orders, networks)) {
        if asked_for(&rule.by) && !policed {
            policed = true;
            let _ = writeln!(out, "\t\t{NEIGHBORS}");
        }
        write(out, &rule, Place::Forward);
    }
}

/// What it has in its chain `input` before all else; nothing where no rule of the firewall is about the host. `told` are the lines of what
/// members always ask the host for.
pub(in crate::net) fn input(out: &mut String, orders: &Orders, told: &str) {
    let rules = compile_input(orders);
    let stated: Vec<&Rule> =
        rules.iter().filter(|rule| matches!(rule.by, By::Statement(..))).collect();
    if stated.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\t\tiifname \"lo\" accept\n\t\tct state established,related accept\n\t\t{NEIGHBORS}"
    );
    out.push_str(told);
    for rule in stated {
        write(out, rule, Place::Input);
    }
}

const FLOWS: &str = "\tset flows4 {
\t\ttype ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service;
\t\tflags dynamic,timeout; timeout 3m; size 65536;
\t}
\tset flows6 {
\t\ttype ipv6_addr . ipv6_addr . inet_proto . inet_service . inet_service;
\t\tflags dynamic,timeout; timeout 3m; size 65536;
\t}
\tset starts {
\t\ttype ifname;
\t\tflags dynamic,timeout; timeout 1m; size 65536;
\t}
\tchain let {
\t\tmeta l4proto != { udp, udplite, sctp, dccp } accept
\t\toifname . ether daddr . ip daddr @own4 goto begun
\t\toifname . ether daddr . ip6 daddr @own6 goto begun
\t\taccept
\t}
\tchain begun {
\t\tupdate @starts { iifname limit rate over 500/second burst 2000 packets } accept comment \"nobody fills it alone\"
\t\tupdate @flows4 { ip saddr . ip daddr . meta l4proto . th sport . th dport timeout 30s }
\t\tupdate @flows6 { ip6 saddr . ip6 daddr . meta l4proto . th sport . th dport timeout 30s }
\t\taccept
\t}
\tchain known {
\t\tip daddr . ip saddr . meta l4proto . th dport . th sport @flows4 update @flows4 { ip daddr . ip saddr . meta l4proto . th dport . th sport } accept comment \"answers\"
\t\tip6 daddr . ip6 saddr . meta l4proto . th dport . th sport @flows6 update @flows6 { ip6 daddr . ip6 saddr . meta l4proto . th dport . th sport } accept
\t\tip saddr . ip daddr . meta l4proto . th sport . th dport @flows4 accept comment \"it goes on\"
\t\tip6 saddr . ip6 daddr . meta l4proto . th sport . th dport @flows6 accept
\t}
";
/// Who speaks with somebody already goes on, and is answered, whatever was said of them since then; by the port and the hardware address that
/// are the other's own: what is sent to many, or by another's, comes to whom the sender may not reach.
const JUDGED: &str = "\t\ttcp flags & (syn|ack) != syn accept comment \"not the first packet\"
\t\ticmp type { echo-reply, destination-unreachable, time-exceeded, parameter-problem, timestamp-reply } accept
\t\ticmpv6 type { echo-reply, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
\t\tip frag-off & 0x1fff != 0 accept comment \"not the first part\"
\t\tfrag frag-off != 0 accept
\t\toifname . ether daddr . ip daddr @own4 jump known
\t\toifname . ether daddr . ip6 daddr @own6 jump known
";

/// What `bridge volt` has of the rules; nothing where none denies.
pub(in crate::net) fn bridge(out: &mut String, orders: &Orders, networks: &[Network]) {
    let rules = once(compile(orders, networks));
    let within: Vec<&Rule> = rules.iter().filter(|rule| is_within(rule)).collect();
    if within.iter().all(|rule| rule.action == Action::Allow) {
        return;
    }
    out.push_str(FLOWS);
    out.push_str(
        "\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n",
    );
    out.push_str("\t\tiifname != \"vo-*\" accept\n\t\tmeta protocol arp accept\n");
    let _ = writeln!(out, "\t\t{NEIGHBORS}");
    out.push_str(JUDGED);
    for rule in within {
        write(out, rule, Place::Bridge);
    }
    out.push_str("\t\tgoto let\n\t}\n");
}

/// Whether a rule that was asked for may be about two members of one network.
fn is_within(rule: &Rule) -> bool {
    let (Side::Who(from), Side::Who(to)) = (&rule.from, &rule.to) else { return false };
    let apart = matches!((from, to), (Who::Network(one), Who::Network(two)) if one != two);
    matches!(rule.by, By::Statement(..) | By::Default(..))
        && *from != Who::Outside
        && *to != Who::Outside
        && !apart
}

/// The same rules, with one for all pairs that are denied, and one for all that are allowed: among what is denied, and among what is
/// allowed, the order says nothing.
fn once(rules: Vec<Rule>) -> Vec<Rule> {
    let mut seen = Vec::new();
    let mut first = |rule: &Rule| {
        let fresh = !rule.is_pair() || !seen.contains(&rule.action);
        if rule.is_pair() {
            seen.push(rule.action);
        }
        fresh
    };
    rules.into_iter().filter(|rule| first(rule)).collect()
}

/// Writes the lines of the rule for all pairs.
fn write_pairs(out: &mut String, action: Action, place: Place) {
    let (set, verdict) = match (action, place) {
        (Action::Deny, _) => ("denied", "drop"),
        (Action::Allow, Place::Bridge) => ("allowed", "goto let"),
        (Action::Allow, _) => ("allowed", "accept"),
    };
    let mut line = |sides: &str, version: &str| {
        let _ = writeln!(
            out,
            "\t\t{sides} . meta l4proto . th dport @{set}{version} {verdict} comment \"from one to another\""
        );
    };
    match place {
        Place::Bridge => line("iifname . oifname", ""),
        Place::Forward | Place::Input => {
            line("ip saddr . ip daddr", "4");
            line("ip6 saddr . ip6 daddr", "6");
        }
    }
}

/// Writes the lines of one rule.
fn write(out: &mut String, rule: &Rule, place: Place) {
    if rule.is_pair() {
        return write_pairs(out, rule.action, place);
    }
    let from = interface("iifname", &rule.from, place);
    let to = match place {
        Place::Input => String::new(),
        _ => interface("oifname", &rule.to, place),
    };
    let published = match rule.published {
        None => "",
        Some(true) => "ct status dnat ",
        Some(false) => "ct status ! dnat ",
    };
    let verdict = match (rule.action, place) {
        (Action::Deny, _) => "drop",
        (Action::Allow, Place::Bridge) => "goto let",
        (Action::Allow, _) => "accept",
    };
    for addresses in addresses(rule, place) {
        for carried in carried(&rule.ports) {
            let _ = writeln!(
                out,
                "\t\t{from}{to}{addresses}{carried}{published}{verdict} comment \"{}\"",
                rule.by
            );
        }
    }
}

/// What of a side is seen by the interface.
fn interface(which: &str, side: &Side, place: Place) -> String {
    match side {
        Side::Inside => format!("{which} @bridges "),
        Side::Who(Who::Outside) => format!("{which} != @bridges "),
        Side::Not(name) => format!("{which} != \"{}\" ", bridge_name(name)),
        Side::Who(who) if place == Place::Bridge && who.is_group() => {
            format!("{which} @{}_p ", set_name(who))
        }
        Side::Who(Who::Network(name)) => format!("{which} \"{}\" ", bridge_name(name)),
        Side::Who(_) => String::new(),
    }
}

/// What the sets of a group are called: the same whatever other groups there are, so that elements never come into another's.
fn set_name(who: &Who) -> String {
    format!("who_{:08x}", hash(&[&who.to_string()]) & 0xffff_ffff)
}

/// What of both sides is seen by the addresses: for either version, or nothing for both.
fn addresses(rule: &Rule, place: Place) -> Vec<String> {
    let of = |which: &str, side: &Side, is_ipv4: bool| -> Option<String> {
        let (ip, version) = if is_ipv4 { ("ip", "4") } else { ("ip6", "6") };
        match side {
            Side::Who(who @ (Who::Workload(_) | Who::Label(..))) if place != Place::Bridge => {
                Some(format!("{ip} {which} @{}_{version} ", set_name(who)))
            }
            Side::Who(Who::Subnet(net)) if matches!(net, IpNet::V4(_)) == is_ipv4 => {
                Some(format!("{ip} {which} {net} "))
            }
            Side::Who(Who::Subnet(_)) => None,
            _ => Some(String::new()),
        }
    };
    let both = [true, false].into_iter().filter_map(|is_ipv4| {
        Some(of("saddr", &rule.from, is_ipv4)? + &of("daddr", &rule.to, is_ipv4)?)
    });
    let mut all: Vec<String> = both.collect();
    all.dedup();
    all
}

/// What of the ports is seen: in one set for each protocol.
fn carried(ports: &[Ports]) -> Vec<String> {
    if ports.is_empty() {
        return vec![String::new()];
    }
    let mut all = Vec::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mut rows: Vec<(u16, u16)> = Vec::new();
        let mut own: Vec<(u16, u16)> = ports
            .iter()
            .filter_map(|ports| match ports {
                Ports::Row(of, first, last) if *of == protocol => Some((*first, *last)),
                _ => None,
            })
            .collect();
        own.sort_unstable();
        for (first, last) in own {
            // nft takes no rows that overlap.
            match rows.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => rows.push((first, last)),
            }
        }
        let row = |(first, last): &(u16, u16)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        if !rows.is_empty() {
            let rows: Vec<String> = rows.iter().map(row).collect();
            // One needs no set, which the kernel would have to make.
            all.push(match rows.as_slice() {
                [row] => format!("{protocol} dport {row} "),
                rows => format!("{protocol} dport {{ {} }} ", rows.join(", ")),
            });
        }
    }
    if ports.contains(&Ports::Ping) {
        all.push("meta l4proto { icmp, icmpv6 } ".to_owned());
    }
    all
}
