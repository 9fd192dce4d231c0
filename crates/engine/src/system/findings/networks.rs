//! Networks: what the kernel has of them and should not, or has not and should; addresses of who is gone.

use super::{Facts, Found, Mend};
use crate::Engine;
use std::collections::BTreeSet;
use volt_host::netlink::{Link, Netlink};
use volt_host::nft;
use volt_model::name::Name;
use volt_model::net::ruleset::Family;
use volt_model::net::{Attached, DEFAULT, Network, PORT_PREFIX, port_name};

impl Engine {
    pub(super) fn network_findings(&self, facts: &Facts) -> Vec<Found> {
        // Bridges and the firewall are the host's: they belong to its own installation.
        if self.is_rootless() || self.paths().root.is_some() || self.is_busy("networks") {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut networks = Vec::new();
        for name in self.network_names().unwrap_or_default() {
            match self.network(&name) {
                Ok(network) => networks.push(network),
                Err(error) => {
                    let why = error.chain().join(": ");
                    found.push(Found::new(&format!("network {name}"), why, Mend::Nothing));
                }
            }
        }
        let unread = !found.is_empty();
        let attached = self.all_attached().unwrap_or_default();
        let links = Netlink::open().and_then(|mut netlink| netlink.links()).unwrap_or_default();
        found.extend(missing(&networks, &attached, &links));
        // What may belong to a network that can't be read is nobody's leftover.
        if !unread {
            found.extend(self.links_left(&networks, &attached, &links));
        }
        found.extend(self.connection_findings(facts));
        found.extend(self.address_findings(facts));
        found
    }

    /// Bridges without a network, and ports without a workload.
    fn links_left(
        &self,
        networks: &[Network],
        attached: &[Attached],
        links: &[Link],
    ) -> Vec<Found> {
        let bridges: BTreeSet<String> = networks.iter().map(Network::bridge).collect();
        let mut ports: BTreeSet<String> = attached
            .iter()
            .flat_map(|one| one.endpoints.iter().map(|endpoint| endpoint.port.clone()))
            .collect();
        for spec in self.specs().unwrap_or_default() {
            // Its command is at work on them.
            if self.is_name_busy(&spec.name) || self.is_busy(&format!("root-{}", spec.name)) {
                ports.extend(spec.networks.iter().map(|to| port_name(&spec.name, &to.network)));
            }
        }
        let of_bridge = |name: &str| name == DEFAULT || name.starts_with("volt-");
        let left = |link: &&Link| {
            let bridge = link.is_bridge && of_bridge(&link.name) && !bridges.contains(&link.name);
            bridge || (link.name.starts_with(PORT_PREFIX) && !ports.contains(&link.name))
        };
        let why = |link: &Link| match link.is_bridge {
            true => "the bridge of a network that is gone",
            false => "the port of a run that is over",
        };
        let found = |link: &Link| {
            let mend = Mend::RemoveLink(link.name.clone());
            Found::new(&format!("interface {}", link.name), why(link), mend)
        };
        links.iter().filter(left).map(found).collect()
    }

    /// Containers that run and are not connected as their records say.
    fn connection_findings(&self, facts: &Facts) -> Vec<Found> {
        let mut found = Vec::new();
        for name in &facts.up {
            let Ok(spec) = self.spec(name) else { continue };
            let runs = self.paths().container_run(name).join("leader").exists();
            if runs && !self.is_name_busy(name) && !self.is_connected_as_recorded(&spec) {
                let why = "it is not connected as its record says";
                found.push(Found::new(
                    &format!("container {name}"),
                    why,
                    Mend::Reconnect(name.clone()),
                ));
            }
        }
        found
    }

    /// Addresses of workloads that are gone, or that have left the network.
    fn address_findings(&self, facts: &Facts) -> Vec<Found> {
        let mut found = Vec::new();
        for held in self.held_addresses() {
            let (name, network) = (&held.workload, &held.network);
            let gone = !facts.containers.contains(name);
            let left = || {
                self.spec(name)
                    .is_ok_and(|spec| spec.networks.iter().all(|to| to.network != *network))
            };
            if (gone || left()) && !self.is_name_busy(name) {
                let why = match gone {
                    true => format!("{name} is gone, its address is not"),
                    false => format!(
                        "{name} is not to be connected to {network}, and has an address in it"
                    ),
                };
                let mend = Mend::GiveAddressBack(name.clone(), network.clone());
                found.push(Found::new(&format!("network {network}"), why, mend));
            }
        }
        found
    }

    /// Gives back the address of a workload that is gone, or that has left the network.
    pub(super) fn give_address_back(&self, name: &Name, network: &Name) -> crate::Result<()> {
        let _lock = self.lock_name(name)?;
        match self.spec(name) {
            Ok(spec) if spec.networks.iter().any(|to| to.network == *network) => Ok(()),
            _ => self.addresses()?.give_back(name, Some(network)),
        }
    }
}

/// What connected workloads need and the kernel has not.
fn missing(networks: &[Network], attached: &[Attached], links: &[Link]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut say = |what: String, why: &str| found.push(Found::new(&what, why, Mend::Networks));
    let up = |name: &str| links.iter().find(|link| link.name == name && link.is_up);
    for network in networks {
        let members =
            || attached.iter().flat_map(|one| &one.endpoints).filter(|e| e.network == network.name);
        if members().next().is_none() {
            continue;
        }
        let bridge = up(&network.bridge());
        if bridge.is_none() {
            say(
                format!("network {}", network.name),
                "its bridge is missing, and workloads are connected to it",
            );
        }
        for endpoint in members() {
            let plugged =
                up(&endpoint.port).is_some_and(|port| port.bridge == bridge.map(|b| b.index));
            if bridge.is_some() && !plugged {
                say(
                    format!("interface {}", endpoint.port),
                    "this port is not in its bridge, and a workload needs it",
                );
            }
        }
    }
    let firewall =
        || [Family::Inet, Family::Bridge].into_iter().all(|f| nft::has_table(f).unwrap_or(true));
    if networks.is_empty() && attached.is_empty() && nft::has_table(Family::Inet).unwrap_or(false) {
        say("firewall".to_owned(), "Volt's tables are there, and no network is");
    }
    if !attached.is_empty() && !firewall() {
        say("firewall".to_owned(), "Volt's tables are missing, and workloads are connected");
    }
    found
}
