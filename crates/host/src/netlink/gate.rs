//! The gate of the firewall (`volt_model::net::gate`): a pair of interfaces of the host's own; what goes into one comes out of the other.

use super::link::{Link, named, switch_on};
use super::socket::Request;
use super::veth::address;
use super::{Error, Netlink, Result};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use volt_model::net::Mac;

/// Both ends have it, and ask nobody for another's: so whatever goes in is for whoever is behind the other end.
const MAC: Mac = Mac([0x02, 0x76, 0x6f, 0x6c, 0x74, 0x67]);
/// An interface without an address takes only what has its way back by it. This one is of the host alone, and nobody's in RFC 3927's range.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 118, 103);
/// The way in has one of IPv6, by which the kernel knows that there is a way to the next, whatever addresses it gives itself.
const ADDRESS_IPV6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x6761);
/// What has come in whole goes through whole.
const MTU: u32 = 65535;
/// By this or its hardware address it is known.
const ALIAS: &str = "volt: where the host's own rules are asked";

impl Netlink {
    /// The number of the end that packets go into; none where the gate is not as it is to be.
    ///
    /// # Errors
    /// When the kernel can't be asked.
    pub fn gate(&mut self, into: &str, out_of: &str) -> Result<Option<u32>> {
        let ends = [self.link(into)?, self.link(out_of)?];
        let good = ends.iter().all(|end| {
            end.as_ref().is_some_and(|end| end.is_up && end.mac == Some(MAC) && end.mtu == MTU)
        });
        let [Some(into), Some(out_of)] = ends else { return Ok(None) };
        let addresses = self.addresses()?;
        let has = |link: &Link, own: IpAddr| {
            addresses.iter().any(|one| one.interface == link.index && one.own.addr() == own)
        };
        let good = good
            && has(&out_of, ADDRESS.into())
            && (!has_ipv6(&into.name) || has(&into, ADDRESS_IPV6.into()));
        Ok(good.then_some(into.index))
    }

    /// Makes the gate where it is missing, or not as it is to be, and says the number of the end that packets go into.
    ///
    /// # Errors
    /// When the kernel refuses it: also where another program's interface is called so.
    pub fn ensure_gate(&mut self, into: &str, out_of: &str) -> Result<u32> {
        if let Some(index) = self.gate(into, out_of)? {
            return Ok(index);
        }
        self.remove_gate(into, out_of)?;
        let mut end = self::end(into);
        end.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(self::end(out_of)))),
        ]));
        let what = format!("make the gate {into}");
        let message = RouteNetlinkMessage::NewLink(end);
        let make = Request { what, message, flags: NLM_F_CREATE | NLM_F_EXCL };
        let up = [out_of, into].map(|name| {
            let mut message = named(name);
            switch_on(&mut message);
            message.header.flags |= LinkFlags::Noarp;
            message.header.change_mask |= LinkFlags::Noarp;
            let what = format!("switch {name} on");
            Request { what, message: RouteNetlinkMessage::NewLink(message), flags: 0 }
        });
        // The others are about it, and about nothing else that is called so.
        self.change(vec![make])?;
        self.change(up.into())?;
        let Some(link) = self.link(out_of)? else { return Err(changed(into)) };
        let mut own = address(link.index, IpNet::from(IpAddr::from(ADDRESS)));
        own.header.scope = AddressScope::Host;
        self.give(out_of, own)?;
        if has_ipv6(into) {
            let Some(link) = self.link(into)? else { return Err(changed(into)) };
            let own = IpNet::new(ADDRESS_IPV6.into(), 64).expect("a prefix of IPv6");
            self.give(into, address(link.index, own))?;
        }
        self.gate(into, out_of)?.ok_or_else(|| changed(into))
    }

    /// Takes the gate away. What another program has made stays, whatever it is called.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn remove_gate(&mut self, into: &str, out_of: &str) -> Result<()> {
        for end in [into, out_of] {
            if self.link(end)?.is_some_and(|link| is_own(&link)) {
                self.delete(end)?;
            }
        }
        Ok(())
    }

    fn give(&mut self, interface: &str, own: AddressMessage) -> Result<()> {
        let what = format!("give {interface} an address");
        let message = RouteNetlinkMessage::NewAddress(own);
        self.change(vec![Request { what, message, flags: NLM_F_CREATE | NLM_F_REPLACE }])
    }
}

fn is_own(link: &Link) -> bool {
    link.mac == Some(MAC) || link.alias.as_deref() == Some(ALIAS)
}

/// Whether the interface has IPv6 at all.
fn has_ipv6(interface: &str) -> bool {
    let switch = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    std::fs::read_to_string(switch).is_ok_and(|text| text.trim() == "0")
}

fn changed(gate: &str) -> Error {
    let why = io::Error::other("somebody else has changed it meanwhile");
    Error::new(format!("make the gate {gate}"), why)
}

fn end(name: &str) -> LinkMessage {
    let mut message = named(name);
    message.attributes.extend([
        LinkAttribute::Address(MAC.0.to_vec()),
        LinkAttribute::Mtu(MTU),
        LinkAttribute::IfAlias(ALIAS.to_owned()),
    ]);
    message
}
