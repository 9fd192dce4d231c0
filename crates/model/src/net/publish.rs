//! Ports of the host that lead to a workload: `-p [HOST_IP:][HOST:]CONTAINER[/PROTOCOL]`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Streams.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// Its number in an IP header.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One `-p`: as many ports of the host as of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The only address of the host that leads there.
    pub address: Option<IpAddr>,
    /// The host's first port; none where any free one will do, then for a single port.
    pub host: Option<u16>,
    /// The container's first port.
    pub container: u16,
    /// How many there are in a row.
    pub count: u16,
    /// What they carry.
    pub protocol: Protocol,
}

/// A port of the host that leads to one of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The only address of the host that leads there.
    pub address: Option<IpAddr>,
    /// The host's port.
    pub host: u16,
    /// The workload's.
    pub container: u16,
    /// What it carries.
    pub protocol: Protocol,
    /// The workload's address.
    pub ip: Ipv4Addr,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it is open whatever the host's own rules say.
    #[serde(default, skip_serializing_if = "is_false")]
    pub expose: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Publish {
    /// Whether it leads in by the host's loopback too, for which a proxy is needed.
    #[must_use]
    pub fn by_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.is_loopback())
    }

    /// Whether somebody who has the one can't have the other; any free port is never taken.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let any = |address: Option<IpAddr>| address.is_none_or(|address| address.is_unspecified());
        let address = any(self.address) || any(other.address) || self.address == other.address;
        let range = |port: &Self| {
            port.host.map(|first| (u32::from(first), u32::from(first) + u32::from(port.count)))
        };
        let (Some(a), Some(b)) = (range(self), range(other)) else { return false };
        address && self.protocol == other.protocol && a.0 < b.1 && b.0 < a.1
    }
}

impl Published {
    /// Whether it leads in by the host's loopback too.
    #[must_use]
    pub fn by_loopback(&self) -> bool {
        self.address.is_none_or(|address| address.is_loopback())
    }

    /// Whether a packet could be meant for both.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let overlap = match (self.address, other.address) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        overlap && self.host == other.host && self.protocol == other.protocol
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        address_prefix(self.address, f)?;
        write!(f, "{}:{}/{}", self.host, self.container, self.protocol)
    }
}

/// A text that publishes nothing.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` publishes no port: {reason}")]
pub struct PublishError {
    text: String,
    reason: &'static str,
}

/// The most ports that one `-p` may name: each is an element of the firewall's maps.
const MOST: u16 = 1024;

impl FromStr for Publish {
    type Err = PublishError;

    fn from_str(text: &str) -> Result<Self, PublishError> {
        let wrong = |reason| PublishError { text: text.chars().take(80).collect(), reason };
        let (rest, protocol) = match text.rsplit_once('/') {
            None => (text, Protocol::Tcp),
            Some((rest, "tcp")) => (rest, Protocol::Tcp),
            Some((rest, "udp")) => (rest, Protocol::Udp),
            Some(_) => return Err(wrong("the protocol is tcp or udp")),
        };
        let (rest, container) = match rest.rsplit_once(':') {
            Some((rest, container)) => (Some(rest), container),
            None => (None, rest),
        };
        let ports = |text| {
            ports(text).ok_or_else(|| {
                wrong("a port is a number from 1 to 65535, or two with - between them")
            })
        };
        let inside = ports(container)?;
        let (address, host) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
            None => (None, None),
            Some((address, host)) => {
                let host = if host.is_empty() { None } else { Some(ports(host)?) };
                (parse_address(address).map_err(wrong)?, host)
            }
        };
        let count = inside.end() - inside.start() + 1;
        if host.as_ref().is_some_and(|host| host.end() - host.start() + 1 != count) {
            return Err(wrong("there are not as many ports of the host as of the container"));
        }
        if count > MOST {
            return Err(wrong("there are more than 1024 ports"));
        }
        if host.is_none() && count > 1 {
            return Err(wrong("say which ports of the host a range is to have"));
        }
        let host = host.map(|host| *host.start());
        Ok(Self { address, host, container: *inside.start(), count, protocol })
    }
}

/// `PORT` or `FIRST-LAST`; at most 65535 of them, so that their count fits.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse::<u16>().ok().filter(|port| *port > 0)).flatten()
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

/// `ADDRESS`, `[ADDRESS]` of IPv6, or nothing. All addresses are the same as none.
fn parse_address(text: &str) -> Result<Option<IpAddr>, &'static str> {
    const WRONG: &str = "what stands before the ports is no address; IPv6 ones stand in [ ]";
    if text.is_empty() {
        return Ok(None);
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = match inner {
        Some(inner) => IpAddr::V6(inner.parse().map_err(|_| WRONG)?),
        None => IpAddr::V4(text.parse().map_err(|_| WRONG)?),
    };
    Ok(Some(address).filter(|address| !address.is_unspecified()))
}

fn address_prefix(address: Option<IpAddr>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match address {
        Some(IpAddr::V4(address)) => write!(f, "{address}:"),
        Some(IpAddr::V6(address)) => write!(f, "[{address}]:"),
        None => Ok(()),
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |first: u16, f: &mut fmt::Formatter<'_>| match self.count {
            1 => write!(f, "{first}"),
            count => write!(f, "{first}-{}", first + (count - 1)),
        };
        address_prefix(self.address, f)?;
        if let Some(host) = self.host {
            row(host, f)?;
        }
        if self.host.is_some() || self.address.is_some() {
            f.write_str(":")?;
        }
        row(self.container, f)?;
        write!(f, "/{}", self.protocol)
    }
}

crate::serde_by_text!(Publish);
