//! A namespace plugged into a bridge by a veth pair.

use super::link::{named, switch_on};
use super::socket::Request;
use super::{Error, Netlink, Result};
use crate::namespaces::NetNs;
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkInfo,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};
use volt_model::net::{BitRate, Mac};

/// How long the kernel may take to have a bridge forward. It takes a millisecond, or some hundred where many networks come and go.
const FORWARDING: Duration = Duration::from_secs(1);

/// A pair as it is to be.
#[derive(Clone, Debug)]
pub struct Veth<'a> {
    /// The end on the host, a port of the bridge.
    pub port: &'a str,
    /// What people read of it in `ip link`.
    pub alias: &'a str,
    /// The number of the bridge.
    pub bridge: u32,
    /// Whether it can't reach other ports of that kind.
    pub isolated: bool,
    /// Whether what comes out of it may go in again: so it is where a packet that the host has turned around does.
    pub hairpin: bool,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// How much may go through it a second, in either direction.
    pub rate: Option<BitRate>,
    /// The other end.
    pub inside: Inside<'a>,
}

/// The end inside.
#[derive(Clone, Debug)]
pub struct Inside<'a> {
    /// What it is called there.
    pub interface: &'a str,
    /// Its hardware address.
    pub mac: Mac,
    /// Its addresses, each with the length of its subnet's prefix.
    pub addresses: &'a [IpNet],
    /// By whom it reaches the rest of the world.
    pub gateways: &'a [IpAddr],
}

impl Netlink {
    /// Plugs a namespace into a bridge. A port of that name that is there already is taken away first. What fails half-way leaves
    /// nothing.
    pub fn plug_in(&mut self, veth: &Veth<'_>, namespace: &NetNs) -> Result<()> {
        match self.make_pair(veth, namespace) {
            Err(error) if error.is_there_already() => {
                self.delete(veth.port)?;
                self.make_pair(veth, namespace)?;
            }
            made => made?,
        }
        let done = self.set_up_ends(veth, namespace);
        if done.is_err() {
            // The error that counts is the first.
            drop(self.delete(veth.port));
        }
        done
    }

    /// Has a port of a bridge reach no other that is isolated.
    pub fn isolate(&mut self, port: &str) -> Result<()> {
        let mut message = named(port);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::Isolated(true)])),
        ]));
        let what = format!("keep the port {port} apart from others");
        self.change(vec![Request {
            what,
            message: RouteNetlinkMessage::NewLink(message),
            flags: 0,
        }])
    }

    /// Has an interface lead out by these, whatever led out before.
    pub fn lead_out(&mut self, interface: &str, gateways: &[IpAddr]) -> Result<()> {
        let Some(link) = self.link(interface)? else { return Ok(()) };
        let by = |gateway: &IpAddr| Request {
            what: format!("lead the way out by {gateway}"),
            message: RouteNetlinkMessage::NewRoute(default_route(link.index, *gateway)),
            flags: NLM_F_CREATE | NLM_F_REPLACE,
        };
        self.change(gateways.iter().map(by).collect())
    }

    /// Each end limits what goes out by it, so that both directions are.
    fn set_up_ends(&mut self, veth: &Veth<'_>, namespace: &NetNs) -> Result<()> {
        let mut there = Self::open_in(namespace)?;
        there.set_up(&veth.inside)?;
        if veth.rate.is_some() {
            there.set_rate(veth.inside.interface, veth.rate)?;
            self.set_rate(veth.port, veth.rate)?;
        }
        self.await_forwarding(veth.port)
    }

    /// Waits until the bridge forwards for a port. The kernel does it in the background once both ends are on; what is sent before
    /// that is lost, and asked for again after a whole second. A bridge that somebody switches off never does, hence the limit.
    fn await_forwarding(&mut self, port: &str) -> Result<()> {
        let end = Instant::now() + FORWARDING;
        while self.link(port)?.is_some_and(|port| !port.is_forwarding) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn make_pair(&mut self, veth: &Veth<'_>, namespace: &NetNs) -> Result<()> {
        let mut peer = named(veth.inside.interface);
        peer.attributes.extend([
            LinkAttribute::Address(veth.inside.mac.0.to_vec()),
            LinkAttribute::NetNsFd(namespace.as_fd().as_raw_fd()),
        ]);
        peer.attributes.extend(veth.mtu.map(LinkAttribute::Mtu));
        let mut port = named(veth.port);
        switch_on(&mut port);
        port.attributes.extend([
            LinkAttribute::IfAlias(veth.alias.to_owned()),
            LinkAttribute::Controller(veth.bridge),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ]);
        port.attributes.extend(veth.mtu.map(LinkAttribute::Mtu));
        let mut requests = vec![Request {
            what: format!("make the port {}", veth.port),
            message: RouteNetlinkMessage::NewLink(port),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        }];
        requests.extend(modes(veth.port, Modes { isolated: veth.isolated, hairpin: veth.hairpin }));
        let made = self.change(requests);
        // What can't be set up must not stay, unless the first message found it there.
        if let Err(error) = &made
            && !error.is_there_already()
        {
            drop(self.delete(veth.port));
        }
        made
    }

    /// Gives the end inside its addresses and routes.
    fn set_up(&mut self, inside: &Inside<'_>) -> Result<()> {
        let what = format!("find {} inside", inside.interface);
        let link = self.link(inside.interface)?;
        let link =
            link.ok_or_else(|| Error::new(what, std::io::Error::from_raw_os_error(libc::ENODEV)))?;
        // The kernel refuses that while it makes the pair.
        let mut up = named(inside.interface);
        switch_on(&mut up);
        let what = format!("switch {} on", inside.interface);
        let mut requests =
            vec![Request { what, message: RouteNetlinkMessage::NewLink(up), flags: 0 }];
        requests.extend(inside.addresses.iter().map(|own| Request {
            what: format!("give {} the address {own}", inside.interface),
            message: RouteNetlinkMessage::NewAddress(address(link.index, *own)),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        }));
        requests.extend(inside.gateways.iter().map(|gateway| Request {
            what: format!("lead the way out by {gateway}"),
            message: RouteNetlinkMessage::NewRoute(default_route(link.index, *gateway)),
            flags: NLM_F_CREATE | NLM_F_EXCL,
        }));
        self.change(requests)
    }
}

/// How a bridge treats a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Modes {
    /// It can't reach other ports of that kind.
    pub(super) isolated: bool,
    /// What comes out of it may go in again.
    pub(super) hairpin: bool,
}

/// What sets up the modes of a bridge's port; nothing where they are the kernel's own.
pub(super) fn modes(port: &str, modes: Modes) -> Option<Request> {
    let Modes { isolated, hairpin } = modes;
    let mut message = named(port);
    let data = vec![InfoBridgePort::Isolated(isolated), InfoBridgePort::HairpinMode(hairpin)];
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(data)),
    ]));
    let what = format!("set up the port {port}");
    let message = RouteNetlinkMessage::NewLink(message);
    (modes != Modes::default()).then_some(Request { what, message, flags: 0 })
}

/// An address for an interface. Nobody else can have it, so IPv6 need not ask around before using it.
pub(super) fn address(index: u32, own: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = own.prefix_len();
    message.header.scope = AddressScope::Universe;
    message.header.family = family(own.addr());
    message.attributes.push(AddressAttribute::Local(own.addr()));
    message.attributes.push(AddressAttribute::Address(own.addr()));
    match own {
        IpNet::V4(own) => message.attributes.push(AddressAttribute::Broadcast(own.broadcast())),
        IpNet::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    message
}

fn default_route(index: u32, gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Oif(index));
    message.attributes.push(RouteAttribute::Gateway(match gateway {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    }));
    message
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
