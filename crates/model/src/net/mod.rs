//! Networks: a bridge, its subnets, who is connected to it by which addresses, and which ports lead in.

mod alias;
mod attachment;
mod bridge;
mod derived;
pub mod dhcp;
mod endpoint;
pub mod gate;
pub mod pcap;
pub mod policy;
mod publish;
mod rate;
pub mod ruleset;
mod subnet;
mod tap;
#[cfg(test)]
mod tests;

use crate::name::Name;
use ipnet::{Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use alias::{Alias, AliasError};
pub use attachment::{Attachment, AttachmentError, connections};
pub use bridge::{Bridge, InterfaceName, InterfaceNameError};
pub use derived::{
    Mac, MacError, PORT_PREFIX, bridge_mac, bridge_name, mac_of, port_name, unique_local,
};
pub use endpoint::{Attached, Endpoint};
pub use publish::{Protocol, Publish, PublishError, Published};
pub use rate::{BitRate, BitRateError};
pub use subnet::{SubnetError, check_ipv4, check_ipv6, ip_of, ipv6_of, number_of, numbers};
pub use tap::Tap;

/// The network that a container has where nothing is said.
pub const DEFAULT: &str = "volt0";
/// The subnet of the default network.
pub const DEFAULT_SUBNET: &str = "10.0.0.0/24";

/// A network as it was asked for: `networks/NAME.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The format of this file: 1.
    pub version: u32,
    /// What it is called.
    pub name: Name,
    /// Its IPv4 subnet; the first address is the host's.
    #[serde(with = "text")]
    pub subnet: Ipv4Net,
    /// Its IPv6 subnet.
    #[serde(with = "maybe_text", default)]
    pub ipv6: Option<Ipv6Net>,
    /// Whether its members reach nothing outside.
    #[serde(default)]
    pub internal: bool,
    /// Whether its members can't reach each other.
    #[serde(default)]
    pub isolate: bool,
    /// Whether its members ask Volt for names.
    pub dns: bool,
    /// Whether its members can ask for their addresses by DHCP.
    #[serde(default)]
    pub dhcp: bool,
    /// The largest packet, in bytes; the kernel's default where nothing is said.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// Free words of the user.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
}

impl Network {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;

    /// What its bridge is called.
    #[must_use]
    pub fn bridge(&self) -> String {
        bridge_name(&self.name)
    }

    /// The host's own address in it, which its members go out by.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        ip_of(self.subnet, 1)
    }

    /// The same of its IPv6 subnet.
    #[must_use]
    pub fn gateway_ipv6(&self) -> Option<Ipv6Addr> {
        self.ipv6.map(|subnet| ipv6_of(subnet, 1))
    }
}

/// A value as the text that it is written as.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// The same of one that may be missing.
mod maybe_text {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use std::fmt::Display;
    use std::str::FromStr;

    #[expect(clippy::ref_option, reason = "the form that serde asks for")]
    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}
