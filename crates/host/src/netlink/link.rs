//! Interfaces as they are, and their end.

use super::rate::TOKEN_BUCKET;
use super::socket::Request;
use super::{Netlink, Result};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgePortState, InfoBridgePort, InfoKind, InfoPortData, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage,
};
use std::ops::AddAssign;
use volt_model::net::Mac;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// What it is called.
    pub name: String,
    /// Its hardware address, where it has one of six octets.
    pub mac: Option<Mac>,
    /// The number of the bridge that it is a port of.
    pub bridge: Option<u32>,
    /// Whether it can't reach other ports of its bridge that can't either.
    pub isolated: bool,
    /// Whether its bridge takes packets from it and sends packets to it.
    pub is_forwarding: bool,
    /// Whether it is a bridge.
    pub is_bridge: bool,
    /// Whether it is switched on.
    pub is_up: bool,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// Whether no more than a rate goes out by it, see [`Netlink::set_rate`](super::Netlink::set_rate).
    pub is_limited: bool,
    /// What whoever made it says of it.
    pub alias: Option<String>,
    /// What has gone through it.
    pub counters: Counters,
}

/// What has gone through an interface, as seen from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes that came in.
    pub received_bytes: u64,
    /// Packets that came in.
    pub received_packets: u64,
    /// Bytes that went out.
    pub sent_bytes: u64,
    /// Packets that went out.
    pub sent_packets: u64,
    /// Packets that were dropped, of either direction.
    pub dropped: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.received_bytes += other.received_bytes;
        self.received_packets += other.received_packets;
        self.sent_bytes += other.sent_bytes;
        self.sent_packets += other.sent_packets;
        self.dropped += other.dropped;
    }
}

impl Netlink {
    /// All interfaces.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let mut all = Vec::new();
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.ask("list interfaces", &question, true, &mut |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                all.push(read(link));
            }
        })?;
        Ok(all)
    }

    /// The interface of this name; none where there is none.
    pub fn link(&mut self, name: &str) -> Result<Option<Link>> {
        let mut found = None;
        let what = format!("look at the interface {name}");
        let question = RouteNetlinkMessage::GetLink(named(name));
        let asked = self.ask(&what, &question, false, &mut |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                found = Some(read(link));
            }
        });
        match asked {
            Err(error) if error.is_not_there() => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }

    /// Takes an interface away, of a veth pair both ends. Whether it was there.
    pub fn delete(&mut self, name: &str) -> Result<bool> {
        let what = format!("remove the interface {name}");
        let message = RouteNetlinkMessage::DelLink(named(name));
        match self.change(vec![Request { what, message, flags: 0 }]) {
            Err(error) if error.is_not_there() => Ok(false),
            Err(error) => Err(error),
            Ok(()) => Ok(true),
        }
    }
}

/// A message about the interface of this name.
pub(super) fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// Has an interface switched on.
pub(super) fn switch_on(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}

/// How a bridge treats the port that this is about.
fn port_modes(info: &LinkInfo) -> &[InfoBridgePort] {
    match info {
        LinkInfo::PortData(InfoPortData::BridgePort(modes)) => modes,
        _ => &[],
    }
}

fn read(message: LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        mac: None,
        bridge: None,
        isolated: false,
        is_forwarding: false,
        is_bridge: false,
        is_up: message.header.flags.contains(LinkFlags::Up),
        mtu: 0,
        is_limited: false,
        alias: None,
        counters: Counters::default(),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Address(octets) => link.mac = octets.try_into().ok().map(Mac),
            LinkAttribute::Controller(index) => link.bridge = Some(index),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Qdisc(queue) => link.is_limited = queue == TOKEN_BUCKET,
            LinkAttribute::LinkInfo(infos) => {
                link.is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
                for mode in infos.iter().flat_map(port_modes) {
                    link.isolated |= *mode == InfoBridgePort::Isolated(true);
                    link.is_forwarding |=
                        *mode == InfoBridgePort::State(BridgePortState::Forwarding);
                }
            }
            LinkAttribute::Stats64(stats) => {
                link.counters = Counters {
                    received_bytes: stats.rx_bytes,
                    received_packets: stats.rx_packets,
                    sent_bytes: stats.tx_bytes,
                    sent_packets: stats.tx_packets,
                    dropped: stats.rx_dropped + stats.tx_dropped,
                };
            }
            _ => {}
        }
    }
    link
}
