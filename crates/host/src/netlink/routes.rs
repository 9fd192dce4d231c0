//! Where the host sends packets.

use super::{Netlink, Result};
use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use std::net::IpAddr;

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub to: IpNet,
    /// The number of the interface that it goes out by.
    pub interface: Option<u32>,
}

impl Netlink {
    /// The host's routes, without the default ones.
    pub fn routes(&mut self) -> Result<Vec<Route>> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RouteMessage::default();
            question.header.address_family = family;
            let question = RouteNetlinkMessage::GetRoute(question);
            self.ask("list the host's routes", question, true, &mut |answer| {
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
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
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
    (to.prefix_len() > 0).then_some(Route { to, interface })
}
