//! The host's own addresses.

use super::{Netlink, Result};
use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use std::net::IpAddr;

/// An address that an interface has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub interface: u32,
    /// The address, with the length of its subnet's prefix.
    pub own: IpNet,
}

impl Netlink {
    /// All addresses of all interfaces.
    pub fn addresses(&mut self) -> Result<Vec<Address>> {
        let mut all = Vec::new();
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.ask("list the host's addresses", &question, true, &mut |answer| {
            if let RouteNetlinkMessage::NewAddress(address) = answer {
                all.extend(read(&address));
            }
        })?;
        Ok(all)
    }
}

fn read(message: &AddressMessage) -> Option<Address> {
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    // Where both are said, the other is that of the peer of a line between two.
    let own: IpAddr = local.or(address)?;
    let own = IpNet::new(own, message.header.prefix_len).ok()?;
    Some(Address { interface: message.header.index, own })
}
