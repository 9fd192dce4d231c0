//! Networks: what the kernel has of them and should not, or has not and should; addresses of who is gone.

use super::{Facts, Found, Mend};
use crate::Engine;
use crate::net::{Held, SERVER_OF_NAMES, WATCHER, is_in_use, is_own_bridge, server_of_addresses};
use std::collections::BTreeSet;
use volt_host::netlink::{Link, Netlink};
use volt_host::nft;
use volt_host::systemd::{ActiveState, UnitSummary};
use volt_model::container::unit;
use volt_model::name::Name;
use volt_model::net::ruleset::Family;
use volt_model::net::{Attached, Network, PORT_PREFIX, Published, port_name};

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
        found.extend(self.network_losses(&networks, &attached));
        let taps = self.taps().unwrap_or_default();
        let mut members = facts.containers.iter().chain(taps.iter().map(|tap| &tap.name));
        let at_work = members.any(|name| self.is_at_work(name));
        if !at_work && !self.has_told_names().unwrap_or(true) {
            let why = "the table of names is not that of who is connected";
            found.push(Found::path(&self.paths().dns_table(), why, Mend::Networks));
        }
        for lost in self.lost_of_bare(&links).unwrap_or_default() {
            let why = "a bridge that is to be there, or is to be in one, and is not";
            found.push(Found::new(&format!("interface {lost}"), why, Mend::Networks));
        }
        // What may belong to a network that can't be read is nobody's leftover.
        if !unread {
            found.extend(self.links_left(&networks, &attached, &links));
        }
        for (name, why) in self.doubly_taken(&networks).unwrap_or_default() {
            found.push(Found::new(&format!("network {name}"), why, Mend::Nothing));
        }
        found.extend(self.connection_findings(facts));
        found.extend(self.stopped_servers(facts, &networks, &attached));
        found.extend(self.nobody_watches(facts));
        // Somebody who was killed may have left it so that only who may write to it can read it.
        match self.written_addresses().or_else(|_| self.addresses()?.held()) {
            Ok(held) => {
                found.extend(self.address_findings(facts, &held));
                found.extend(self.unwritten_addresses(&held));
            }
            Err(error) => {
                let why = error.chain().join(": ");
                found.push(Found::path(&self.paths().database(), why, Mend::Nothing));
            }
        }
        found
    }

    /// What connected workloads need and the kernel has not, and tables that nobody needs.
    fn network_losses(&self, networks: &[Network], attached: &[Attached]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut say = |what: &str, why: String| found.push(Found::new(&what, why, Mend::Networks));
        let lost = self.lost_networks().unwrap_or_default();
        // What nobody uses whoever wants it first makes. Rules about the host hold always.
        let rules = self.orders().is_ok_and(|orders| !orders.rules.rules.is_empty());
        if lost.firewall && (rules || !attached.is_empty()) {
            say("firewall", "Volt's tables are not as they are to be".to_owned());
        }
        for (network, what) in
            lost.networks.iter().filter(|(network, _)| is_in_use(network, attached))
        {
            for what in what {
                say(&format!("network {network}"), format!("it lacks its {what}"));
            }
        }
        let tables = nft::has_table(Family::Inet).unwrap_or(false);
        let wanted = self.wants_firewall().unwrap_or(true);
        if networks.is_empty() && attached.is_empty() && tables && !wanted {
            say("firewall", "Volt's tables are there, and no network is".to_owned());
        }
        found
    }

    /// Bridges without a network, and ports without a workload.
    fn links_left(
        &self,
        networks: &[Network],
        attached: &[Attached],
        links: &[Link],
    ) -> Vec<Found> {
        let mut bridges: BTreeSet<String> = networks.iter().map(Network::bridge).collect();
        let bare = self.bare_bridge_names().unwrap_or_default();
        bridges.extend(bare.iter().map(ToString::to_string));
        let mut ports: BTreeSet<String> = attached
            .iter()
            .flat_map(|one| one.endpoints.iter().map(|endpoint| endpoint.port.clone()))
            .collect();
        for spec in self.specs().unwrap_or_default() {
            // Its command is at work on them, or it runs: then it is connected once more where they are not what is written down.
            if self.is_at_work(&spec.name) || self.has_namespace(&spec.name) {
                ports.extend(spec.networks.iter().map(|to| port_name(&spec.name, &to.network)));
            }
        }
        let left = |link: &&Link| {
            let bridge = is_own_bridge(link) && !bridges.contains(&link.name);
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

    /// Containers that run, and TAPs, that are not connected as their records say; connections of which nobody has the other end.
    fn connection_findings(&self, facts: &Facts) -> Vec<Found> {
        let mut found = Vec::new();
        for attached in self.all_attached().unwrap_or_default() {
            let name = &attached.workload;
            // Those of containers that are down go with the rest of their runs.
            if facts.up.contains(name) && !self.has_namespace(name) && !self.is_at_work(name) {
                let why = "its network namespace is gone, what it had of networks is not";
                let mend = Mend::PlugOut(name.clone());
                found.push(Found::new(&format!("container {name}"), why, mend));
            }
        }
        for name in &facts.up {
            let Ok(spec) = self.spec(name) else { continue };
            if self.is_misconnected(&spec) && !self.is_at_work(name) {
                let why = "it is not connected as its record says";
                found.push(Found::new(
                    &format!("container {name}"),
                    why,
                    Mend::Reconnect(name.clone()),
                ));
            }
        }
        // What one has lost that was told to be connected the network has lost.
        for tap in self.taps().unwrap_or_default() {
            if self.attached(&tap.name).is_none() && !self.is_at_work(&tap.name) {
                let why = "its record is there, it is not";
                found.push(Found::new(&format!("TAP {}", tap.name), why, Mend::Networks));
            }
        }
        found
    }

    /// What answers for names, gives addresses or leads in from the loopback, and does not run.
    fn stopped_servers(
        &self,
        facts: &Facts,
        networks: &[Network],
        attached: &[Attached],
    ) -> Vec<Found> {
        let stopped = |unit: &str, why: String, name: &Name| {
            let mend = || Mend::Start(unit.to_owned(), Some(name.clone()));
            (!runs(facts, unit)).then(|| Found::new(&unit, why, mend()))
        };
        // One that goes takes its proxy with it.
        let stays = |one: &UnitSummary| one.active == ActiveState::Active && one.job.is_none();
        let mut up = attached.iter().filter(|one| {
            let unit = unit::name(&one.workload);
            facts.units.iter().any(|own| own.name == unit && stays(own))
        });
        let asks = |one: &&Attached| self.name_servers(one).is_ok_and(|all| !all.is_empty());
        let proxied = up.clone().filter(|one| one.published.iter().any(Published::by_loopback));
        let mut found: Vec<Found> = proxied
            .filter(|one| !self.is_at_work(&one.workload))
            .filter_map(|one| {
                let why = format!("the ports of {} don't lead in by the loopback", one.workload);
                stopped(&unit::proxy_name(&one.workload), why, &one.workload)
            })
            .collect();
        if let Some(asker) = up.find(asks) {
            let why = format!("it does not run, and {} asks it for names", asker.workload);
            found.extend(stopped(SERVER_OF_NAMES, why, &asker.workload));
        }
        for network in networks.iter().filter(|one| one.dhcp && is_in_use(&one.name, attached)) {
            let unit = server_of_addresses(&network.name);
            if !runs(facts, &unit) {
                let why = format!("it does not run, and gives the addresses of {}", network.name);
                found.push(Found::new(&unit, why, Mend::Networks));
            } else if !self.knows_addresses(network, attached)
                && !attached.iter().any(|one| self.is_at_work(&one.workload))
            {
                let why = format!("it was not told who is connected to {}", network.name);
                found.push(Found::new(&unit, why, Mend::Networks));
            }
        }
        found
    }

    /// Networks of which nobody puts back what another program takes away. Whoever masks the unit wants it so.
    fn nobody_watches(&self, facts: &Facts) -> Option<Found> {
        if runs(facts, WATCHER) || !self.wants_watcher().unwrap_or(true) {
            return None;
        }
        self.systemd().unit_status(WATCHER).ok().filter(|unit| unit.load == "loaded")?;
        let why = "it does not run, and nobody else puts back what networks lose";
        Some(Found::new(&WATCHER, why, Mend::Start(WATCHER.to_owned(), None)))
    }

    /// Takes away what a workload has of networks whose network namespace is gone.
    pub(super) fn plug_out_lost(&self, name: &Name) -> crate::Result<()> {
        let _lock = self.lock_name(name)?;
        let _root = self.lock_root(name)?;
        if self.has_namespace(name) { Ok(()) } else { self.plug_out(name) }
    }

    fn address_findings(&self, facts: &Facts, held: &[Held]) -> Vec<Found> {
        let left =
            self.addresses_left(held.iter()).filter(|left| !self.is_name_busy(&left.workload));
        let found = |left: &Held| {
            let (name, network) = (&left.workload, &left.network);
            let why = match facts.containers.contains(name) {
                false => format!("{name} is gone, its address is not"),
                true => {
                    format!("{name} is not to be connected to {network}, and has an address in it")
                }
            };
            let mend = Mend::GiveAddressBack(name.clone(), network.clone());
            Found::new(&format!("network {network}"), why, mend)
        };
        left.map(found).collect()
    }

    /// Addresses of connected workloads that the table doesn't tell of: it was lost, and others would be given them.
    fn unwritten_addresses(&self, held: &[Held]) -> Vec<Found> {
        let mut found = Vec::new();
        // Read after the table: who has gone meanwhile has nothing any more.
        for own in self.attached_numbers().into_iter().filter(|own| !held.contains(own)) {
            if !self.is_at_work(&own.workload) {
                let why = format!("{} has an address in it that is not written down", own.workload);
                let subject = format!("network {}", own.network);
                found.push(Found::new(&subject, why, Mend::WriteAddress(own)));
            }
        }
        found
    }

    /// Writes down again what a workload has that is connected.
    pub(super) fn write_address(&self, own: &Held) -> crate::Result<()> {
        let _lock = self.lock_name(&own.workload)?;
        if !self.attached_numbers().contains(own) {
            return Ok(());
        }
        let network = self.network(&own.network)?;
        self.addresses()?.claim(&network, &own.workload, Some(own.number)).map(drop)
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

fn runs(facts: &Facts, unit: &str) -> bool {
    let is_up = |one: &UnitSummary| one.active.is_up() || one.job.is_some();
    facts.units.iter().any(|one| one.name == unit && is_up(one))
}
