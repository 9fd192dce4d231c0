//! How networks look.

use super::{labels, yes_no};
use crate::output::{Column, Details, Output, ago, or_dash, size, when_and_ago};
use volt_api::types::{NetBridge, NetConnection, NetTap, Network, NetworkMember};

const COLUMNS: &[Column<Network>] = &[
    Column::new("NAME", |n| n.name.as_str().into()),
    Column::new("SUBNET", |n| n.subnet.as_str().into()),
    Column::new("IPV6", |n| or_dash(n.ipv6.as_deref()).into()),
    Column::new("MEMBERS", |n| n.members.len().to_string().into()),
    Column::new("CREATED", |n| ago(&n.created).into()),
    Column::wide("BRIDGE", |n| n.bridge.as_str().into()),
    Column::wide("UP", |n| yes_no(n.up).into()),
    Column::wide("INTERNAL", |n| yes_no(n.internal).into()),
    Column::wide("ISOLATED", |n| yes_no(n.isolate).into()),
    Column::wide("LABELS", |n| labels(&n.labels).into()),
];

const CONNECTIONS: &[Column<NetConnection>] = &[
    Column::new("NAME", |c| c.name.as_str().into()),
    Column::new("NETWORK", |c| c.network.as_str().into()),
    Column::new("ADDRESS", |c| c.ip.as_str().into()),
    Column::new("RECEIVED", |c| size(c.received_bytes).into()),
    Column::new("SENT", |c| size(c.sent_bytes).into()),
    Column::new("PUBLISHED", |c| or_dash(Some(&c.published.join(", "))).into()),
    Column::wide("IPV6", |c| or_dash(c.ipv6.as_deref()).into()),
    Column::wide("INTERFACE", |c| c.interface.as_str().into()),
    Column::wide("PORT", |c| c.port.as_str().into()),
    Column::wide("UP", |c| yes_no(c.up).into()),
    Column::wide("MAC", |c| c.mac.as_str().into()),
    Column::wide("RATE", |c| or_dash(c.rate.as_deref()).into()),
    Column::wide("PACKETS IN", |c| c.received_packets.to_string().into()),
    Column::wide("PACKETS OUT", |c| c.sent_packets.to_string().into()),
    Column::wide("DROPPED", |c| c.dropped_packets.to_string().into()),
];

const BRIDGES: &[Column<NetBridge>] = &[
    Column::new("NAME", |b| b.name.as_str().into()),
    Column::new("NETWORK", |b| or_dash(b.network.as_deref()).into()),
    Column::new("UP", |b| yes_no(b.up).into()),
    Column::new("PORTS", |b| or_dash(Some(&b.ports.join(", "))).into()),
    Column::wide("MTU", |b| b.mtu.to_string().into()),
    Column::wide("MAC", |b| or_dash(b.mac.as_deref()).into()),
    Column::wide("CREATED", |b| b.created.as_deref().map_or_else(|| "-".into(), ago).into()),
];

const TAPS: &[Column<NetTap>] = &[
    Column::new("NAME", |t| t.name.as_str().into()),
    Column::new("NETWORK", |t| t.network.as_str().into()),
    Column::new("INTERFACE", |t| or_dash(t.interface.as_deref()).into()),
    Column::new("MAC", |t| or_dash(t.mac.as_deref()).into()),
    Column::new("ADDRESS", |t| or_dash(t.ip.as_deref()).into()),
    Column::wide("IPV6", |t| or_dash(t.ipv6.as_deref()).into()),
    Column::wide("OWNER", |t| t.owner.map_or_else(|| "-".to_owned(), |id| id.to_string()).into()),
    Column::wide("UP", |t| yes_no(t.up).into()),
    Column::wide("CREATED", |t| ago(&t.created).into()),
];

/// All that is known of one TAP.
pub(crate) fn tap(t: &NetTap) -> Output {
    let details = Details::new()
        .row("Name", &t.name)
        .row("Network", &t.network)
        .some("Interface", t.interface.as_ref())
        .some("MAC", t.mac.as_ref())
        .some("Address", t.ip.as_ref())
        .some("IPv6", t.ipv6.as_ref());
    Output::details(t, &t.name, details)
}

/// A list of TAPs.
pub(crate) fn taps(taps: &[NetTap]) -> Output {
    Output::list(taps, TAPS, |t| &t.name, "No TAPs.")
}

/// A list of bridges.
pub(crate) fn bridges(bridges: &[NetBridge]) -> Output {
    Output::list(bridges, BRIDGES, |b| &b.name, "No bridges.")
}

/// A list of networks.
pub(crate) fn list(networks: &[Network]) -> Output {
    Output::list(networks, COLUMNS, |n| &n.name, "No networks.")
}

/// A list of connections.
pub(crate) fn status(connections: &[NetConnection]) -> Output {
    Output::list(connections, CONNECTIONS, |c| &c.name, "Nobody is connected.")
}

/// All that is known of one network.
pub(crate) fn details(n: &Network) -> Output {
    let details = Details::new()
        .row("Name", &n.name)
        .row("Created", when_and_ago(&n.created))
        .row("Bridge", &n.bridge)
        .row("Up", yes_no(n.up))
        .row("Subnet", &n.subnet)
        .row("Gateway", &n.gateway)
        .some("IPv6", n.ipv6.as_ref())
        .some("IPv6 gateway", n.gateway_ipv6.as_ref())
        .some("MTU", n.mtu.map(|mtu| mtu.to_string()))
        .row("Internal", yes_no(n.internal))
        .row("Isolated", yes_no(n.isolate))
        .row("Names by Volt", yes_no(n.dns))
        .row("Ingress", &n.ingress)
        .row("Egress", &n.egress)
        .row("Addresses by DHCP", yes_no(n.dhcp))
        .section("Members");
    let details = n.members.iter().fold(details, |d, one| d.row(&one.name, member(one)));
    let details = details.section("Labels");
    let details = n.labels.iter().fold(details, |d, (key, value)| d.row(key, value));
    Output::details(n, &n.name, details)
}

fn member(member: &NetworkMember) -> String {
    let known = [member.ip.as_deref(), member.ipv6.as_deref(), Some(&member.mac)];
    let mut words: Vec<&str> = known.into_iter().flatten().collect();
    if !member.connected {
        words.push("(not connected)");
    }
    words.join("  ")
}
