//! What a workload has of networks while it is connected: `run/volt/networks/NAME.json`.

use super::{Alias, BitRate, Mac, Published};
use crate::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All that a workload has. What is in such a file the firewall lets through, and names lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attached {
    /// Whose.
    pub workload: Name,
    /// Free words of the user, by which policies name it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whom it asks for names that are not Volt's, where that is not whom the host asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<IpAddr>,
    /// One for each network.
    pub endpoints: Vec<Endpoint>,
    /// The host's ports that lead to it.
    #[serde(default)]
    pub published: Vec<Published>,
}

impl Attached {
    /// A workload that is not connected yet.
    #[must_use]
    pub const fn new(workload: Name, labels: BTreeMap<String, String>) -> Self {
        let dns = Vec::new();
        Self { workload, labels, dns, endpoints: Vec::new(), published: Vec::new() }
    }
}

/// A workload's connection to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The network.
    pub network: Name,
    /// What the interface is called inside.
    pub interface: String,
    /// What the port of the bridge is called.
    pub port: String,
    /// The hardware address inside.
    pub mac: Mac,
    /// The address.
    pub ip: Ipv4Addr,
    /// The IPv6 address, where the network has such.
    pub ipv6: Option<Ipv6Addr>,
    /// Further names in this network.
    #[serde(default)]
    pub aliases: Vec<Alias>,
    /// How much may go through it a second, in either direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<BitRate>,
}
