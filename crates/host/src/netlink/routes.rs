//! Where the host sends packets.

use super::{Netlink, Result};
use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use std::net::IpAddr;

/// `RT_TABLE_LOCAL`: the host's own addresses. A table of a larger number is named by an attribute, and is none of these in the header.
const LOCAL: u8 = 255;

/// A route, of whichever table: which one is asked for a packet rules say, that may be others tomorrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: IpNet,
    /// The number of the interface that it goes out by.
    pub interface: Option<u32>,
    /// Whether it leads nowhere, which is meant for what no longer prefix leads to.
    pub is_sink: bool,
}

impl Netlink {
    /// The host's routes, also those that lead nowhere, without the default ones and those of its own addresses.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RouteMessage::default();
            question.header.address_family = family;
            let question = RouteNetlinkMessage::GetRoute(question);
            self.ask("list the host's routes", &question, true, &mut |answer| {
                if let RouteNetlinkMessage::NewRoute(route) = answer {
                    all.extend(read(&route));
                }
            })?;
        }
        Ok(all)
    }
}

fn read(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let leads = matches!(
        header.kind,
        RouteType::Unicast | RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit
    );
    if header.table == LOCAL || !leads {
        return None;
    }
    let (mut to, mut interface) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => to = Some(IpAddr::V4(*ip)),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => to = Some(IpAddr::V6(*ip)),
            RouteAttribute::Oif(index) => interface = Some(*index),
            _ => {}
        }
    }
    // Every interface has one of these.
    let own_link = |to: &IpAddr| matches!(to, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let to = to.filter(|to| !own_link(to))?;
    let to = IpNet::new(to, header.destination_prefix_length).ok()?;
    let is_sink = header.kind != RouteType::Unicast;
    // Two halves are a default route that stands before another.
    (to.prefix_len() > 1).then_some(Route { to, interface, is_sink })
}
