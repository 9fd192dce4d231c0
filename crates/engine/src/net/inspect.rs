//! Networks as they are shown, and what goes through them.

use super::addresses::{Addresses, Held};
use super::is_member;
use crate::Engine;
use crate::error::Result;
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use volt_host::netlink::{Counters, Link, Netlink};
use volt_model::name::Name;
use volt_model::net::policy::Defaults;
use volt_model::net::{Endpoint, Mac, Network, Published, ip_of, ipv6_of, mac_of};

/// A network as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What was asked for.
    pub network: Network,
    /// Whether its bridge is there and on.
    pub up: bool,
    /// What is done with what no policy is about.
    pub defaults: Defaults,
    /// Who is to be connected to it, sorted by name.
    pub members: Vec<Member>,
}

/// Somebody who is to be connected to a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The workload.
    pub workload: Name,
    /// Whether it is connected at this moment.
    pub connected: bool,
    /// Its address; none where it was never given one, or the table can't be read.
    pub ip: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// Its hardware address.
    pub mac: Mac,
}

/// A connection as it is at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The workload.
    pub workload: Name,
    /// What it has of the network.
    pub endpoint: Endpoint,
    /// Whether its port is there and on.
    pub up: bool,
    /// What it has received and sent.
    pub counters: Counters,
    /// The host's ports that lead to it, where this is its first connection.
    pub published: Vec<Published>,
}

impl Engine {
    /// Shows a network with its members.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn net_inspect(&self, name: &Name) -> Result<View> {
        let network = self.network(name)?;
        Ok(self.views(vec![network])?.remove(0))
    }

    /// Lists networks, sorted by name.
    ///
    /// # Errors
    /// When the folder of networks or that of containers can't be read.
    pub fn net_list(&self) -> Result<Vec<View>> {
        let networks = self.networks()?;
        self.views(networks)
    }

    /// Every connection there is at this moment, sorted by workload; only those of one network where that is said.
    ///
    /// # Errors
    /// `NotFound`; when the kernel can't be asked.
    pub fn net_status(&self, network: Option<&Name>) -> Result<Vec<Status>> {
        if let Some(name) = network {
            drop(self.network(name)?);
        }
        let links = self.links()?;
        let mut all = Vec::new();
        for attached in self.all_attached()? {
            for (i, endpoint) in attached.endpoints.into_iter().enumerate() {
                if network.is_some_and(|name| *name != endpoint.network) {
                    continue;
                }
                let port = links.iter().find(|link| link.name == endpoint.port);
                let published = if i == 0 { attached.published.clone() } else { Vec::new() };
                all.push(Status {
                    workload: attached.workload.clone(),
                    up: port.is_some_and(|port| port.is_up),
                    counters: port.map(|port| inside(port.counters)).unwrap_or_default(),
                    endpoint,
                    published,
                });
            }
        }
        Ok(all)
    }

    /// What has gone through all connections of each workload together; of none where the kernel can't be asked.
    pub(crate) fn traffic(&self) -> HashMap<Name, Counters> {
        let mut all: HashMap<Name, Counters> = HashMap::new();
        for connection in self.net_status(None).unwrap_or_default() {
            *all.entry(connection.workload).or_default() += connection.counters;
        }
        all
    }

    fn views(&self, networks: Vec<Network>) -> Result<Vec<View>> {
        let (specs, taps) = (self.specs()?, self.taps()?);
        let held = self.held_addresses();
        let links = self.links().unwrap_or_default();
        let defaults = self.orders().map(|orders| orders.policies.defaults).unwrap_or_default();
        let view = |network: Network| {
            let bridge = network.bridge();
            let containers = specs.iter().filter(|spec| is_member(spec, &network.name));
            let machines = taps.iter().filter(|tap| tap.network == network.name);
            let names = containers.map(|spec| &spec.name).chain(machines.map(|tap| &tap.name));
            let mut members: Vec<Member> =
                names.map(|name| self.member(&network, name, &held)).collect();
            members.sort_by(|one, other| one.workload.cmp(&other.workload));
            View {
                up: links.iter().any(|link| link.name == bridge && link.is_up),
                defaults: defaults.get(&network.name).copied().unwrap_or_default(),
                members,
                network,
            }
        };
        Ok(networks.into_iter().map(view).collect())
    }

    fn member(&self, network: &Network, workload: &Name, held: &[Held]) -> Member {
        let number = held
            .iter()
            .find(|one| one.network == network.name && one.workload == *workload)
            .map(|one| one.number);
        let attached = self.attached(workload);
        let endpoints = attached.iter().flat_map(|all| &all.endpoints);
        let endpoint = endpoints.into_iter().find(|one| one.network == network.name);
        Member {
            workload: workload.clone(),
            connected: endpoint.is_some(),
            ip: number.map(|number| ip_of(network.subnet, number)),
            ipv6: number.and_then(|number| Some(ipv6_of(network.ipv6?, number))),
            mac: endpoint.map_or_else(|| mac_of(workload, &network.name), |one| one.mac),
        }
    }

    /// What the table says that workloads hold.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn written_addresses(&self) -> Result<Vec<Held>> {
        let read = Addresses::read(&self.paths().database());
        read.and_then(|table| table.map_or(Ok(Vec::new()), |table| table.held()))
    }

    /// The same; nothing where the table can't be read.
    pub(crate) fn held_addresses(&self) -> Vec<Held> {
        self.written_addresses().unwrap_or_else(|error| {
            tracing::warn!(error = %error.chain().join(": "), "the table of addresses can't be read");
            Vec::new()
        })
    }

    fn links(&self) -> Result<Vec<Link>> {
        Ok(Netlink::open()?.links()?)
    }
}

/// What the end inside has received is what the port has sent.
fn inside(port: Counters) -> Counters {
    Counters {
        received_bytes: port.sent_bytes,
        received_packets: port.sent_packets,
        sent_bytes: port.received_bytes,
        sent_packets: port.received_packets,
        dropped: port.dropped,
    }
}
