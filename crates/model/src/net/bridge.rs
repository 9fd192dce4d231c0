//! Bridges that belong to no network, and the names of interfaces.

use crate::name::Name;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A bridge as it was asked for: `bridges/NAME.json`. It connects what is plugged into it and is nothing else: no subnet, no firewall.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    /// The format of this file: 1.
    pub version: u32,
    /// What it is called, as an interface too.
    pub name: Name,
    /// The largest packet, in bytes; the kernel's default where nothing is said.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// The interfaces of the host that are plugged into it.
    #[serde(default)]
    pub ports: Vec<InterfaceName>,
    /// When it was made.
    pub created: Timestamp,
}

impl Bridge {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;
}

/// What an interface of the host is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceName(String);

/// A text that no interface can be called.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no interface: its name has 1 to 15 characters, no space, colon or slash")]
pub struct InterfaceNameError(String);

impl InterfaceName {
    /// The longest name, in bytes.
    pub const MAX: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, InterfaceNameError> {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == ':';
        let fits = (1..=Self::MAX).contains(&text.len()) && text != "." && text != "..";
        if !fits || text.contains(bad) {
            return Err(InterfaceNameError(text.chars().take(40).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

crate::serde_by_text!(InterfaceName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_interfaces_can_be_called() {
        for good in ["eth0", "enp0s31f6", "eth0.100", "a-b_c", "abcdefghijklmno"] {
            assert_eq!(good.parse::<InterfaceName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a b", "a/b", "eth0:1", "abcdefghijklmnop", "a\n"] {
            assert!(bad.parse::<InterfaceName>().is_err(), "{bad:?} was taken");
        }
    }
}
