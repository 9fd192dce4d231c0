//! The table that `volt-dns.service` answers from: which networks there are, at which addresses it listens, who is on them.
//!
//! One file, `run/volt/dns.json`, written whole and renamed into place. The server knows of workloads only what stands here.

use crate::name::Name;
use crate::net::{self, Attached};
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
    pub aliases: Vec<net::Alias>,
    /// Who is asked for it for names that are not Volt's, where that is not whom the host asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<IpAddr>,
    /// Whether another of its networks leads out: it may ask for names that are not Volt's, whatever is true of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwards: bool,
}

/// The networks that have names, with all who are connected to them.
#[must_use]
pub fn networks(all: &[net::Network], attached: &[Attached]) -> Vec<Network> {
    let leads_out = |name: &Name| all.iter().any(|one| one.name == *name && !one.internal);
    let named = all.iter().filter(|network| network.dns);
    named.map(|network| of(network, attached, &leads_out)).collect()
}

fn of(network: &net::Network, attached: &[Attached], leads_out: &dyn Fn(&Name) -> bool) -> Network {
    let member = |attached: &Attached| {
        let mut endpoints = attached.endpoints.iter();
        let forwards = network.internal && endpoints.any(|other| leads_out(&other.network));
        let own = attached.endpoints.iter().find(|endpoint| endpoint.network == network.name)?;
        let addresses = [Some(own.ip.into()), own.ipv6.map(IpAddr::V6)];
        Some(Member {
            name: attached.workload.clone(),
            addresses: addresses.into_iter().flatten().collect(),
            aliases: own.aliases.clone(),
            servers: attached.dns.clone(),
            forwards,
        })
    };
    let gateways = [Some(network.gateway().into()), network.gateway_ipv6().map(IpAddr::V6)];
    let subnets = [Some(network.subnet.into()), network.ipv6.map(IpNet::V6)];
    Network {
        name: network.name.clone(),
        gateways: gateways.into_iter().flatten().collect(),
        subnets: subnets.into_iter().flatten().collect(),
        forwards: !network.internal,
        members: attached.iter().filter_map(member).collect(),
    }
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
    fn the_table_follows_from_networks_and_who_is_connected() {
        let network = |name: &str, more: &str| -> net::Network {
            let text = format!(
                r#"{{"version":1,"name":"{name}","subnet":"10.9.0.0/24","created":"2026-01-01T00:00:00Z",{more}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let all = [
            network("back", r#""dns":true,"internal":true,"ipv6":"fd00:9::/64""#),
            network("mute", r#""dns":false"#),
        ];
        let attached: Attached = serde_json::from_str(
            r#"{"workload":"web","dns":["192.0.2.1"],"endpoints":[
              {"network":"mute","interface":"eth0","port":"a","mac":"02:00:00:00:00:01","ip":"10.9.0.3","ipv6":null},
              {"network":"back","interface":"eth1","port":"b","mac":"02:00:00:00:00:02","ip":"10.9.0.2","ipv6":"fd00:9::2","aliases":["www"]}]}"#,
        )
        .unwrap();
        let wanted = r#"[{"name":"back","gateways":["10.9.0.1","fd00:9::1"],"subnets":["10.9.0.0/24","fd00:9::/64"],"forwards":false,"members":[{"name":"web","addresses":["10.9.0.2","fd00:9::2"],"aliases":["www"],"servers":["192.0.2.1"],"forwards":true}]}]"#;
        assert_eq!(serde_json::to_string(&networks(&all, &[attached])).unwrap(), wanted);
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
