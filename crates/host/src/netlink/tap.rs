//! TAP interfaces: a port of a bridge whose other end a program has, by `/dev/net/tun`
//! (Documentation/networking/tuntap.rst of the kernel).

#![expect(unsafe_code, reason = "the ioctls of /dev/net/tun have no safe wrapper")]

use super::link::{named, switch_on};
use super::socket::Request;
use super::veth::{Modes, modes};
use super::{Error, Netlink, Result};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkAttribute;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

const DEVICE: &str = "/dev/net/tun";

/// A TAP as it is to be.
#[derive(Clone, Debug)]
pub struct Tap<'a> {
    /// What it is called.
    pub port: &'a str,
    /// What people read of it in `ip link`.
    pub alias: &'a str,
    /// The number of the bridge.
    pub bridge: u32,
    /// Whether it can't reach other ports of that kind.
    pub isolated: bool,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// The id of the user who may open it, beside root.
    pub owner: Option<u32>,
}

impl Netlink {
    /// Makes a TAP that stays, or sets up one that is there, and plugs it into its bridge. What fails half-way leaves none that is new.
    ///
    /// # Errors
    /// Where an interface that is no TAP has the name, or the host has no TAPs.
    pub fn ensure_tap(&mut self, tap: &Tap<'_>) -> Result<()> {
        let new = self.link(tap.port)?.is_none();
        if new {
            make(tap).map_err(|e| Error::new(format!("make the TAP {}", tap.port), e))?;
        }
        let done = self.plug_tap(tap);
        if done.is_err() && new {
            // The error that counts is the first.
            drop(self.delete(tap.port));
        }
        done
    }

    fn plug_tap(&mut self, tap: &Tap<'_>) -> Result<()> {
        let mut port = named(tap.port);
        switch_on(&mut port);
        port.attributes.extend([
            LinkAttribute::IfAlias(tap.alias.to_owned()),
            LinkAttribute::Controller(tap.bridge),
        ]);
        port.attributes.extend(tap.mtu.map(LinkAttribute::Mtu));
        let what = format!("set up the TAP {}", tap.port);
        let message = RouteNetlinkMessage::NewLink(port);
        let mut requests = vec![Request { what, message, flags: 0 }];
        requests.extend(modes(tap.port, Modes { isolated: tap.isolated, hairpin: false }));
        self.change(requests)
    }
}

/// Makes a TAP that outlives whoever made it.
fn make(tap: &Tap<'_>) -> io::Result<()> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
    // SAFETY: all zero is a valid value: no name, no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let place = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
    for (to, from) in place.zip(tap.port.bytes()) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL;
    request.ifr_ifru.ifru_flags = (flags as u16).cast_signed();
    // SAFETY: the structure is the one this call reads and writes, and lives through it.
    check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    if let Some(owner) = tap.owner {
        // SAFETY: takes a number and touches no memory of ours.
        check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOWNER, u64::from(owner)) })?;
    }
    let stay: u64 = 1;
    // SAFETY: takes a number and touches no memory of ours.
    check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETPERSIST, stay) })
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
