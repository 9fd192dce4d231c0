//! Ports that a policy or a rule is about: `PORT[-PORT][/tcp|udp]`, or `icmp` for pings.

use crate::net::Protocol;
use std::fmt;
use std::str::FromStr;

/// Ports in a row, or what has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    /// From one port to another.
    Row(Protocol, u16, u16),
    /// Pings, of IPv4 and IPv6.
    Ping,
}

impl Ports {
    /// One port.
    #[must_use]
    pub const fn one(protocol: Protocol, port: u16) -> Self {
        Self::Row(protocol, port, port)
    }

    /// Whether all of the other is in it.
    #[must_use]
    pub fn contain(self, other: Self) -> bool {
        match (self, other) {
            (Self::Ping, Self::Ping) => true,
            (Self::Row(own, first, last), Self::Row(protocol, from, to)) => {
                own == protocol && first <= from && to <= last
            }
            _ => false,
        }
    }
}

/// A text that is no port.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no port: write 80, 80/tcp, 53/udp, 8000-8100/tcp, or icmp for pings")]
pub struct PortsError(String);

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let wrong = || PortsError(text.chars().take(40).collect());
        if text == "icmp" {
            return Ok(Self::Ping);
        }
        let protocol = |word: &str| match word {
            "tcp" => Some(Protocol::Tcp),
            "udp" => Some(Protocol::Udp),
            _ => None,
        };
        // Either order is in use elsewhere.
        let (ports, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((one, two)) => match (protocol(one), protocol(two)) {
                (Some(protocol), None) => (two, protocol),
                (None, Some(protocol)) => (one, protocol),
                _ => return Err(wrong()),
            },
        };
        let port = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<u16>().ok().filter(|port| *port > 0)).flatten()
        };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self::Row(protocol, first, last)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ping => f.write_str("icmp"),
            Self::Row(protocol, first, last) if first == last => write!(f, "{first}/{protocol}"),
            Self::Row(protocol, first, last) => write!(f, "{first}-{last}/{protocol}"),
        }
    }
}

crate::serde_by_text!(Ports);
