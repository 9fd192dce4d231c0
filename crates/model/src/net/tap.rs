//! TAP interfaces on networks: what a virtual machine is plugged in by.

use crate::name::Name;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A TAP as it was asked for: `taps/NAME.json`. Whoever opens it is a member of the network under this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The format of this file: 1.
    pub version: u32,
    /// The name of the machine behind it.
    pub name: Name,
    /// The network that it is plugged into.
    pub network: Name,
    /// The address that the machine is to have; one is chosen where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<Ipv4Addr>,
    /// The id of the user who may open it; root alone where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// When it was made.
    pub created: Timestamp,
}

impl Tap {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;
}
