//! Networks on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// What it is called.
    pub name: String,
    /// What its bridge is called on the host.
    pub bridge: String,
    /// Whether the bridge is there and on.
    pub up: bool,
    /// Its IPv4 subnet.
    pub subnet: String,
    /// The host's own address in it.
    pub gateway: String,
    /// Its IPv6 subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// The host's own IPv6 address in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_ipv6: Option<String>,
    /// Whether its members reach nothing outside.
    pub internal: bool,
    /// Whether its members can't reach each other.
    pub isolate: bool,
    /// Whether its members ask Volt for names.
    pub dns: bool,
    /// Whether its members can ask for their addresses by DHCP.
    #[serde(default)]
    pub dhcp: bool,
    /// The largest packet, in bytes, where that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// What is done with what comes to its members and no policy is about: `allow` or `deny`.
    #[serde(default)]
    pub ingress: String,
    /// The same of what its members begin.
    #[serde(default)]
    pub egress: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Who is to be connected to it.
    pub members: Vec<NetworkMember>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// Somebody who is to be connected to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkMember {
    /// The workload.
    pub name: String,
    /// Whether it is connected at this moment.
    pub connected: bool,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Its IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// Its hardware address.
    pub mac: String,
}

/// What network to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetCreate {
    /// What to call it.
    pub name: String,
    /// Its IPv4 subnet, such as `10.9.0.0/24`; a free one where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Its IPv6 subnet, such as `fd00:9::/64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// Let its members reach nothing outside.
    pub internal: bool,
    /// Keep its members from each other.
    pub isolate: bool,
    /// Let its members ask the host's servers for names, in place of Volt.
    pub no_dns: bool,
    /// Let its members ask for their addresses by DHCP, as virtual machines do.
    pub dhcp: bool,
    /// The largest packet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// What to connect to a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetConnect {
    /// The container.
    pub container: String,
    /// The address that it is to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Further names for it in this network.
    pub aliases: Vec<String>,
}

/// What to disconnect from a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetDisconnect {
    /// The container.
    pub container: String,
}

/// Which connections.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetStatus {
    /// Only those to this network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// Which packets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetCapture {
    /// The workload.
    pub name: String,
    /// By which of its networks; the first where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Only what this fits, in the words of pcap-filter(7); takes tcpdump on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// End after so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Keep at most so many bytes of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snap_length: Option<u32>,
}

/// A workload's connection to a network as it is at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetConnection {
    /// The workload.
    pub name: String,
    /// The network.
    pub network: String,
    /// What the interface is called inside.
    pub interface: String,
    /// What the port of the bridge is called on the host.
    pub port: String,
    /// Whether that is there and on.
    pub up: bool,
    /// The address.
    pub ip: String,
    /// The IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// The hardware address.
    pub mac: String,
    /// Further names in this network.
    pub aliases: Vec<String>,
    /// The host's ports that lead through it, `[ADDRESS:]HOST:CONTAINER/PROTOCOL`.
    pub published: Vec<String>,
    /// How many bits may go through a second, in either direction; where that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Bytes that the workload has received.
    pub received_bytes: u64,
    /// Packets that it has received.
    pub received_packets: u64,
    /// Bytes that it has sent.
    pub sent_bytes: u64,
    /// Packets that it has sent.
    pub sent_packets: u64,
    /// Packets of either direction that were dropped.
    pub dropped_packets: u64,
}

/// A TAP: what a virtual machine is a member of a network by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetTap {
    /// The machine's name.
    pub name: String,
    /// The network.
    pub network: String,
    /// What the interface is called on the host; none where it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The hardware address that the machine must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Its IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// The id of the user who may open it, beside root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// Whether it is there and on.
    pub up: bool,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// What TAP to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetTapCreate {
    /// What the machine is called.
    pub name: String,
    /// The network; `volt0` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The address that the machine is to have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The user who may open it, by name or number; root alone where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A bridge of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetBridge {
    /// What it is called.
    pub name: String,
    /// The network that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// When it was made as a bridge without a network, RFC 3339; other programs' have no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Whether it is there and on.
    pub up: bool,
    /// Its hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The largest packet, in bytes; 0 where it is not there.
    pub mtu: u32,
    /// The interfaces that are plugged in.
    pub ports: Vec<String>,
}

/// What bridge to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetBridgeCreate {
    /// What to call it.
    pub name: String,
    /// The largest packet, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Interfaces of the host to plug in.
    pub ports: Vec<String>,
}
