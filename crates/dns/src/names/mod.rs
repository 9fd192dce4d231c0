//! The table, arranged for answering: who an asker is, which networks he sees, what their members are called.

#[cfg(test)]
pub(crate) mod tests;

use crate::query::QueryName;
use domain::base::Name as DomainName;
use ipnet::IpNet;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use volt_model::dns::{Network, Table, ZONE};

/// A name in wire form.
pub(crate) type Owner = DomainName<Vec<u8>>;

/// What the server knows, as of one generation of the table.
#[derive(Debug)]
pub struct Names {
    generation: u64,
    zone: Owner,
    networks: Vec<Zone>,
    /// The networks that each member's address is on, by their place in `networks`.
    members: HashMap<IpAddr, Vec<usize>>,
    /// Members who may ask for other names, though none of the networks that they see may.
    led_out: HashSet<IpAddr>,
    gateways: HashSet<IpAddr>,
    /// Who is asked for members that don't ask whom the host asks, by their addresses.
    servers: HashMap<IpAddr, Arc<[IpAddr]>>,
}

/// The names of one network.
#[derive(Debug)]
struct Zone {
    name: Box<[u8]>,
    subnets: Vec<IpNet>,
    forwards: bool,
    /// By the one label of a name.
    hosts: HashMap<Box<[u8]>, Addresses>,
    /// Aliases of several labels, by their wire form.
    domains: HashMap<Box<[u8]>, Addresses>,
    owners: HashMap<IpAddr, Owner>,
}

/// The addresses behind one name.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    turns: [AtomicUsize; 2],
}

/// What one asker may see.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    names: &'a Names,
    seen: Seen<'a>,
    led_out: bool,
}

#[derive(Clone, Copy, Debug)]
enum Seen<'a> {
    /// The host sees every network.
    All,
    /// A member sees those that it is on.
    Some(&'a [usize]),
    /// Whoever else is on a network sees that one.
    One(usize),
}

impl Names {
    /// Arranges a table.
    #[must_use]
    pub fn new(table: &Table) -> Self {
        let networks: Vec<Zone> = table.networks.iter().map(Zone::new).collect();
        let all = || table.networks.iter();
        // A workload on several networks sees all of them, whichever it asks from.
        let mut on: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, network) in all().enumerate() {
            for member in &network.members {
                on.entry(member.name.as_str()).or_default().push(index);
            }
        }
        let (mut members, mut servers) = (HashMap::new(), HashMap::new());
        let mut led_out = HashSet::new();
        for member in all().flat_map(|network| &network.members) {
            let own: Arc<[IpAddr]> = member.servers.as_slice().into();
            for address in &member.addresses {
                if !own.is_empty() {
                    servers.insert(*address, Arc::clone(&own));
                }
                let seen = on.get(member.name.as_str()).cloned().unwrap_or_default();
                members.insert(*address, seen);
            }
            if member.forwards {
                led_out.extend(member.addresses.iter().copied());
            }
        }
        let gateways = all().flat_map(|network| network.gateways.iter().copied()).collect();
        let (generation, zone) = (table.generation, owner(ZONE));
        Self { generation, zone, networks, members, led_out, gateways, servers }
    }

    /// Who is asked for whoever asks from this address; nobody where those are whom the host asks.
    #[must_use]
    pub fn servers(&self, source: IpAddr) -> Arc<[IpAddr]> {
        self.servers.get(&source).cloned().unwrap_or_default()
    }

    /// What whoever asks from this address may see; nothing where he is on none of the networks.
    #[must_use]
    pub fn view(&self, source: IpAddr) -> Option<View<'_>> {
        let seen = if let Some(networks) = self.members.get(&source) {
            Seen::Some(networks)
        } else if self.gateways.contains(&source) {
            Seen::All
        } else if let Some(network) = self.networks.iter().position(|zone| zone.has(source)) {
            Seen::One(network)
        } else if source.is_loopback() {
            Seen::All
        } else {
            return None;
        };
        Some(View { names: self, seen, led_out: self.led_out.contains(&source) })
    }

    /// Where to listen.
    #[must_use]
    pub fn gateways(&self) -> &HashSet<IpAddr> {
        &self.gateways
    }

    /// The table's generation.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The zone that is Volt's.
    pub(crate) fn zone(&self) -> &Owner {
        &self.zone
    }

    /// Whether an address is of one of the networks, whoever may see them.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|zone| zone.has(address))
    }
}

impl<'a> View<'a> {
    /// Whether others may be asked for him. The host has resolvers of its own; answering it could only go round in circles.
    #[must_use]
    pub fn forwards(&self) -> bool {
        !matches!(self.seen, Seen::All)
            && (self.led_out || self.networks().any(|zone| zone.forwards))
    }

    /// The addresses behind a name, network by network; of one network where it is given.
    pub(crate) fn find<'b>(
        &self,
        host: &'b [u8],
        network: Option<&'b [u8]>,
    ) -> impl Iterator<Item = &'a Addresses> + Clone + use<'a, 'b> {
        let zones = self.networks();
        let zones = zones.filter(move |zone| network.is_none_or(|name| *zone.name == *name));
        zones.filter_map(move |zone| zone.hosts.get(host))
    }

    /// The addresses behind a name of several labels, network by network.
    pub(crate) fn find_domain<'b>(
        &self,
        name: &'b QueryName,
    ) -> impl Iterator<Item = &'a Addresses> + Clone + use<'a, 'b> {
        self.networks().filter_map(|zone| zone.domains.get(name.as_bytes()))
    }

    /// Whether he sees a network of this name.
    pub(crate) fn knows(&self, network: &[u8]) -> bool {
        self.networks().any(|zone| *zone.name == *network)
    }

    /// Whose address it is.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<&'a Owner> {
        self.networks().find_map(|zone| zone.owners.get(&address))
    }

    fn networks(&self) -> impl Iterator<Item = &'a Zone> + Clone + use<'a> {
        let all = &self.names.networks;
        let (some, rest): (&[usize], &[Zone]) = match self.seen {
            Seen::All => (&[], all),
            Seen::Some(some) => (some, &[]),
            Seen::One(index) => (&[], all.get(index..=index).unwrap_or_default()),
        };
        some.iter().filter_map(|index| all.get(*index)).chain(rest)
    }
}

impl Zone {
    fn new(network: &Network) -> Self {
        let mut hosts: HashMap<Box<[u8]>, Addresses> = HashMap::new();
        let mut owners = HashMap::new();
        for member in &network.members {
            let name = owner(&format!("{}.{ZONE}", member.name));
            owners.extend(member.addresses.iter().map(|address| (*address, name.clone())));
            let own = hosts.entry(member.name.as_str().as_bytes().into()).or_default();
            own.add(&member.addresses);
        }
        // An alias never takes the name of a workload from it.
        let mut aliases: HashMap<Box<[u8]>, Addresses> = HashMap::new();
        let mut domains: HashMap<Box<[u8]>, Addresses> = HashMap::new();
        for member in &network.members {
            for alias in member.aliases.iter().map(volt_model::net::Alias::as_str) {
                if alias.contains('.') {
                    let wire = owner(alias).as_slice().into();
                    domains.entry(wire).or_default().add(&member.addresses);
                } else if !hosts.contains_key(alias.as_bytes()) {
                    aliases.entry(alias.as_bytes().into()).or_default().add(&member.addresses);
                }
            }
        }
        hosts.extend(aliases);
        Self {
            name: network.name.as_str().as_bytes().into(),
            subnets: network.subnets.clone(),
            forwards: network.forwards,
            hosts,
            domains,
            owners,
        }
    }

    fn has(&self, address: IpAddr) -> bool {
        self.subnets.iter().any(|subnet| subnet.contains(&address))
    }
}

impl Addresses {
    /// How often this was called before, for IPv4 (0) and IPv6 (1) each.
    pub(crate) fn turn(&self, kind: usize) -> usize {
        self.turns[kind].fetch_add(1, Ordering::Relaxed)
    }

    fn add(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            match address {
                IpAddr::V4(v4) => self.v4.push(*v4),
                IpAddr::V6(v6) => self.v6.push(*v6),
            }
        }
    }
}

fn owner(text: &str) -> Owner {
    Owner::from_str(text).unwrap_or_else(|_| DomainName::root_vec())
}
