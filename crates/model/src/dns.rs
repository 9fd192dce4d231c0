//! The table that `volt-dns.service` answers from: which networks there are, at which addresses it listens, who is on them.
//!
//! One file, `run/volt/dns.json`, written whole and renamed into place. The server knows of workloads only what stands here.

use crate::name::Name;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The zone that all names are in besides the short ones; it never leaves the host.
pub const ZONE: &str = "volt";

/// The largest table, in bytes.
pub const MAX_TABLE: usize = 16 << 20;

/// All that the server answers from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Counts up with each change.
    pub generation: u64,
    /// The networks whose members are told names.
    pub networks: Vec<Network>,
}

/// A network with names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What it is called; names of its members end with it.
    pub name: Name,
    /// The addresses of the host in it, where the server listens.
    pub gateways: Vec<IpAddr>,
    /// Its addresses; whoever asks from one of these is on it.
    #[serde(with = "texts")]
    pub subnets: Vec<IpNet>,
    /// Whether its members may ask for names that are not Volt's.
    pub forwards: bool,
    /// Who is on it now.
    pub members: Vec<Member>,
}

/// A workload on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The workload.
    pub name: Name,
    /// Its addresses in this network.
    pub addresses: Vec<IpAddr>,
    /// Other names in this network; several members may share one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Name>,
}

/// The zones of the reverse lookup of a subnet's addresses, such as `0.0.10.in-addr.arpa`. A zone ends where a label does: a subnet
/// that doesn't is covered by several.
#[must_use]
pub fn reverse_zones(subnet: IpNet) -> Vec<String> {
    let (digits, bits, suffix): (Vec<u8>, usize, _) = match subnet.network() {
        IpAddr::V4(v4) => (v4.octets().to_vec(), 8, "in-addr.arpa"),
        IpAddr::V6(v6) => {
            (v6.octets().iter().flat_map(|byte| [byte >> 4, byte & 15]).collect(), 4, "ip6.arpa")
        }
    };
    let prefix = usize::from(subnet.prefix_len());
    let labels = prefix.div_ceil(bits);
    let zone = |index: u16| {
        let own = digits[..labels].iter().enumerate().rev().map(|(place, digit)| {
            let digit = u16::from(*digit) + if place + 1 == labels { index } else { 0 };
            if bits == 8 { format!("{digit}.") } else { format!("{digit:x}.") }
        });
        own.chain([suffix.to_owned()]).collect()
    };
    (0..1 << (labels * bits - prefix)).map(zone).collect()
}

/// Subnets as texts.
mod texts {
    use ipnet::IpNet;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(all: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let all = Vec::<String>::deserialize(from)?;
        all.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_is_written() {
        let text = r#"{"generation":3,"networks":[{"name":"volt0","gateways":["10.0.0.1"],"subnets":["10.0.0.0/24"],"forwards":true,"members":[{"name":"web","addresses":["10.0.0.2"],"aliases":["www"]}]}]}"#;
        let table: Table = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&table).unwrap(), text);
        assert_eq!(table.networks[0].members[0].aliases[0].as_str(), "www");
    }

    #[test]
    fn zones_of_the_reverse_lookup() {
        for (range, zones) in [
            ("10.0.0.0/24", &["0.0.10.in-addr.arpa"][..]),
            ("172.16.0.0/15", &["16.172.in-addr.arpa", "17.172.in-addr.arpa"]),
            ("10.0.0.4/32", &["4.0.0.10.in-addr.arpa"]),
            ("fd00:1::/32", &["1.0.0.0.0.0.d.f.ip6.arpa"]),
        ] {
            assert_eq!(reverse_zones(range.parse().unwrap()), zones);
        }
    }
}
