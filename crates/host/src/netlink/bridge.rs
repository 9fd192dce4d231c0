//! Bridges with the host's own addresses.

use super::link::{named, switch_on};
use super::socket::Request;
use super::veth::address;
use super::{Netlink, Result};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeBooleanOptionFlags, BridgeBooleanOptions, InfoBridge, InfoData, InfoKind, LinkAttribute,
    LinkInfo,
};
use volt_model::net::Mac;

/// A bridge as it is to be.
#[derive(Clone, Debug)]
pub struct Bridge<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its hardware address: without one it would change with every port that comes and goes.
    pub mac: Mac,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// By what it is known whose it is, whatever becomes of its hardware address.
    pub alias: &'a str,
    /// The host's own addresses in its subnets.
    pub addresses: &'a [IpNet],
}

impl Netlink {
    /// Makes a bridge, or gives one that is there what it lacks. It is on when this returns.
    pub fn ensure_bridge(&mut self, bridge: &Bridge<'_>) -> Result<()> {
        let name = bridge.name;
        let mut message = named(name);
        message.attributes.push(LinkAttribute::Address(bridge.mac.0.to_vec()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        message.attributes.push(LinkAttribute::IfAlias(bridge.alias.to_owned()));
        let make = Request {
            what: format!("make the bridge {name}"),
            message: RouteNetlinkMessage::NewLink(message),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        };
        match self.change(vec![make]) {
            Err(error) if !error.is_there_already() => return Err(error),
            _ => {}
        }
        let Some(link) = self.link(name)? else { return Ok(()) };
        let mut requests = vec![learn_from_filtered(name)];
        if link.mac != Some(bridge.mac) || link.alias.as_deref() != Some(bridge.alias) {
            let mut message = named(name);
            message.attributes.push(LinkAttribute::Address(bridge.mac.0.to_vec()));
            message.attributes.push(LinkAttribute::IfAlias(bridge.alias.to_owned()));
            let what = format!("give {name} its hardware address");
            let message = RouteNetlinkMessage::NewLink(message);
            requests.push(Request { what, message, flags: 0 });
        }
        // One that it has from the beginning would give way to that of its ports.
        if let Some(mtu) = bridge.mtu.filter(|mtu| *mtu != link.mtu) {
            let mut message = named(name);
            message.attributes.push(LinkAttribute::Mtu(mtu));
            let what = format!("have packets of {mtu} bytes pass {name}");
            let message = RouteNetlinkMessage::NewLink(message);
            requests.push(Request { what, message, flags: 0 });
        }
        requests.extend(bridge.addresses.iter().map(|own| Request {
            what: format!("give {name} the address {own}"),
            message: RouteNetlinkMessage::NewAddress(address(link.index, *own)),
            flags: NLM_F_CREATE | NLM_F_REPLACE,
        }));
        // Last: one that is up has all that belongs to it, whoever was killed meanwhile.
        if !link.is_up {
            let mut message = named(name);
            switch_on(&mut message);
            let what = format!("switch {name} on");
            requests.push(Request {
                what,
                message: RouteNetlinkMessage::NewLink(message),
                flags: 0,
            });
        }
        self.change(requests)
    }

    /// Plugs an interface into the bridge of this number, and switches it on.
    pub fn put_into(&mut self, interface: &str, bridge: u32) -> Result<()> {
        let mut message = named(interface);
        switch_on(&mut message);
        message.attributes.push(LinkAttribute::Controller(bridge));
        let what = format!("plug {interface} into a bridge");
        self.change(vec![Request {
            what,
            message: RouteNetlinkMessage::NewLink(message),
            flags: 0,
        }])
    }
}

/// What is sent to the addresses of bridges themselves (LLDP and the like) comes by no rule of the firewall: where the sender is must not
/// be learnt from it, since he could say that he is another.
fn learn_from_filtered(bridge: &str) -> Request {
    let own = BridgeBooleanOptionFlags::NoLinkLocalLearn;
    let options = BridgeBooleanOptions { value: own, mask: own };
    let mut message = named(bridge);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Bridge),
        LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::MultiBoolOpt(options)])),
    ]));
    let what = format!("have {bridge} learn only from what the firewall sees");
    Request { what, message: RouteNetlinkMessage::NewLink(message), flags: 0 }
}
