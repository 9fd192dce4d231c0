//! What follows from names alone: bridges, ports, hardware addresses, and the default network's IPv6 subnet.

use crate::name::Name;
use ipnet::Ipv6Net;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// How the names of all bridge ports begin that Volt makes: nothing goes through one that the firewall doesn't know. (`vt-` and `vb-` are
/// systemd's.)
pub const PORT_PREFIX: &str = "vo-";
/// The longest name that the kernel takes for an interface.
const IFNAMSIZ: usize = 15;

/// The bridge of a network: `volt0`, `volt-NAME`; a longer name is cut, with a hash of the whole.
#[must_use]
pub fn bridge_name(network: &Name) -> String {
    if network.as_str() == super::DEFAULT {
        return super::DEFAULT.to_owned();
    }
    let whole = format!("volt-{network}");
    if whole.len() <= IFNAMSIZ {
        return whole;
    }
    // What is cut has no place for a hyphen and eight digits that a whole name could not have too: so fewer are kept.
    let hash = hash(&[network.as_str()]);
    format!("volt-{}_{:06x}", &network.as_str()[..3], hash & 0xff_ffff)
}

/// The port by which a workload is plugged into the bridge of a network.
#[must_use]
pub fn port_name(workload: &Name, network: &Name) -> String {
    let hash = hash(&[workload.as_str(), network.as_str()]);
    let short: String = workload.as_str().chars().take(3).collect();
    format!("{PORT_PREFIX}{short}_{:08x}", hash & 0xffff_ffff)
}

/// The hardware address of a workload in a network: the same whenever it starts, locally administered.
#[must_use]
pub fn mac_of(workload: &Name, network: &Name) -> Mac {
    let hash = hash(&["mac", workload.as_str(), network.as_str()]).to_be_bytes();
    Mac([0x02, hash[3], hash[4], hash[5], hash[6], hash[7]])
}

/// The hardware address of a bridge of this name that Volt makes, which no member has, whatever it is called. By it such a bridge is known:
/// another program's has another one.
#[must_use]
pub fn bridge_mac(bridge: &str) -> Mac {
    let hash = hash(&["bridge", bridge]).to_be_bytes();
    Mac([0x02, hash[3], hash[4], hash[5], hash[6], hash[7]])
}

/// A unique local IPv6 subnet (RFC 4193) that follows from `seed`, which only this host has.
#[must_use]
pub fn unique_local(seed: &str) -> Ipv6Net {
    let hash = hash(&["unique local", seed]).to_be_bytes();
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&hash[3..]);
    Ipv6Net::new(Ipv6Addr::from(octets), 64).expect("64 is a prefix length")
}

/// FNV-1a of words and the ends between them: small, and the same for ever.
pub(super) fn hash(words: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for byte in words.iter().flat_map(|word| word.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The low bits of a short word depend on its last letters alone; what is cut off must not matter.
    hash ^ (hash >> 32)
}

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The address of its own that an interface with this hardware address gives itself (RFC 4291, appendix A).
    #[must_use]
    pub fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, g] = self.0;
        let pair = |high, low| u16::from_be_bytes([high, low]);
        Ipv6Addr::new(0xfe80, 0, 0, 0, pair(a ^ 2, b), pair(c, 0xff), pair(0xfe, d), pair(e, g))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A text that is no hardware address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no hardware address of an interface: write six pairs of hexadecimal digits, such as 02:00:5e:10:00:01"
)]
pub struct MacError(String);

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, MacError> {
        let wrong = || MacError(text.chars().take(40).collect());
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|p| p.len() == 2).ok_or_else(wrong)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        // That of a group, and none, are no interface's.
        let is_ones = octets[0] & 1 == 0 && octets != [0; 6];
        if parts.next().is_some() || !is_ones { Err(wrong()) } else { Ok(Self(octets)) }
    }
}

crate::serde_by_text!(Mac);
