//! Networks: bridges of the host, and who is connected to them by which addresses.
//!
//! ```text
//! var/lib/volt/networks/NAME.json   what was asked for of a network
//! var/lib/volt/bridges/NAME.json    what was asked for of a bridge that belongs to no network (`bare`)
//! var/lib/volt/taps/NAME.json       what was asked for of a TAP, which a virtual machine opens (`tap`)
//! var/lib/volt/volt.db              who has which address (`addresses`)
//! run/volt/networks/NAME.json       what a workload has while it is connected (`plug`)
//! run/volt/dhcp/NETWORK/            what the server of addresses of a network reads and writes (`dhcp`)
//! run/volt/dns.json                 what the server of names answers from (`names`)
//! run/volt/restored/NAME.json       what a network had lost that was put back last, for events (`watch`)
//! run/volt/resolved/BRIDGE          what systemd-resolved was told of a bridge (`names`)
//! ```
//! A container's record says to which networks it is to be connected. It is when it is prepared, by whoever prepares it, and no longer
//! when it is released; the bridge is made where it is missing. Locks, in their order: the name of the workload, `networks` (alone for
//! whoever makes or removes one), its root (so that no run begins or ends), `firewall`.

mod addresses;
mod bare;
mod bridge;
mod capture;
mod connect;
mod create;
mod delete;
mod dhcp;
mod inspect;
mod names;
mod plug;
mod policy;
mod ports;
mod proxy;
mod resolve;
mod settle;
mod tap;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use addresses::Held;
pub use bare::BridgeView;
pub(crate) use bridge::{is_own_bridge, set as set_switch, value as switch};
pub use capture::Capture;
pub use create::Create;
pub(crate) use create::WATCHER;
pub(crate) use dhcp::unit as server_of_addresses;
pub use inspect::{Member, Status, View};
pub(crate) use names::UNIT as SERVER_OF_NAMES;
pub use policy::{Answer, End};
pub(crate) use ports::refuse_ports_from_outside;
pub use tap::TapView;

use crate::Engine;
use crate::error::{Error, Result};
use addresses::Addresses;
use std::path::PathBuf;
use std::time::Duration;
use volt_host::files::{self, Lock, LockMode, Wait};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::{Attached, Endpoint, Network, number_of};

/// The most that is read of a network's or a connection's file, in bytes.
const MAX: usize = 1 << 20;
/// How long a command waits while another makes or removes a network.
const PATIENCE: Duration = Duration::from_secs(60);

impl Engine {
    fn network_path(&self, name: &Name) -> PathBuf {
        self.paths().networks().join(format!("{name}.json"))
    }

    /// Whether it is written down what a workload has of networks.
    pub(crate) fn has_attached(&self, workload: &Name) -> bool {
        self.attached_path(workload).symlink_metadata().is_ok()
    }

    fn attached_path(&self, workload: &Name) -> PathBuf {
        self.paths().attached().join(format!("{workload}.json"))
    }

    /// A network as this host can have it now: without IPv6 where the host has none.
    ///
    /// # Errors
    /// `NotFound`; `InvalidConfig` for a record that can't be read.
    pub(crate) fn network(&self, name: &Name) -> Result<Network> {
        let record = self.network_record(name)?;
        let has_ipv6 = bridge_has_ipv6(&record.bridge());
        Ok(as_the_host(record, has_ipv6))
    }

    /// A network as it was asked for.
    ///
    /// # Errors
    /// `NotFound`; `InvalidConfig` for a record that can't be read.
    pub(crate) fn network_record(&self, name: &Name) -> Result<Network> {
        match files::read_json::<Network>(&self.network_path(name), MAX) {
            Ok(network) if network.version == Network::VERSION && network.name == *name => {
                Ok(network)
            }
            Ok(_) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "The record of the network {name} is another's, or of another version of Volt"
                ),
            )
            .about(name)),
            Err(e) if e.is_not_found() => Err(Error::not_found("network", name)
                .hinted("`volt net list` lists all there are, `volt net create` makes one")),
            Err(e) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!("The record of the network {name} can't be read"),
            )
            .about(name)
            .because(e)),
        }
    }

    /// The names of all networks, sorted.
    pub(crate) fn network_names(&self) -> Result<Vec<Name>> {
        Ok(stems(&self.paths().networks())?)
    }

    /// All networks, sorted by name. One that can't be read is told in the log and left out.
    pub(crate) fn networks(&self) -> Result<Vec<Network>> {
        let readable = |network: Result<Network>| {
            network.inspect_err(|e| {
                tracing::warn!(error = %e.chain().join(": "), "a network's record can't be read");
            })
        };
        Ok(self.each_network()?.filter_map(|network| readable(network).ok()).collect())
    }

    /// All networks, sorted by name; none of them where one can't be read. For what must be right for all or stay as it is.
    pub(crate) fn networks_or_none(&self) -> Result<Vec<Network>> {
        self.each_network()?.collect()
    }

    /// Each network that has a record when it is its turn, sorted by name.
    fn each_network(&self) -> Result<impl Iterator<Item = Result<Network>>> {
        let is_gone = |network: &Result<Network>| {
            network.as_ref().is_err_and(|e| e.kind == ErrorKind::NotFound)
        };
        let all = self.network_names()?.into_iter().map(|name| self.network(&name));
        Ok(all.filter(move |network| !is_gone(network)))
    }

    /// What a workload has of networks; none where it is not connected.
    pub(crate) fn attached(&self, workload: &Name) -> Option<Attached> {
        files::read_json(&self.attached_path(workload), MAX).ok()
    }

    /// Whether a workload is connected by this connection.
    pub(crate) fn is_attached(&self, workload: &Name, by: &Endpoint) -> bool {
        self.attached(workload).is_some_and(|now| now.endpoints.contains(by))
    }

    /// What all workloads have that are connected, sorted by name: all that names and the firewall are rendered from.
    pub(crate) fn all_attached(&self) -> Result<Vec<Attached>> {
        let names: Vec<Name> = stems(&self.paths().attached())?;
        Ok(names.iter().filter_map(|name| self.attached(name)).collect())
    }

    /// Locks the networks against being made and removed; alone for whoever does so.
    pub(crate) fn lock_networks(&self, mode: LockMode) -> Result<Lock> {
        Ok(self.locks().lock("networks", mode, Wait::For(PATIENCE))?)
    }

    pub(crate) fn addresses(&self) -> Result<Addresses> {
        files::create_dirs(&self.paths().lib, 0o755)?;
        Addresses::open(&self.paths().database(), &|| self.attached_numbers())
    }

    /// The numbers that those have who are connected, as the kernel has them by now.
    pub(crate) fn attached_numbers(&self) -> Vec<Held> {
        let mut all = Vec::new();
        for one in self.all_attached().unwrap_or_default() {
            for endpoint in &one.endpoints {
                let Ok(network) = self.network(&endpoint.network) else { continue };
                let Some(number) = number_of(network.subnet, endpoint.ip) else { continue };
                let (network, workload) = (network.name, one.workload.clone());
                all.push(Held { network, workload, number });
            }
        }
        all
    }

    /// Gives back all addresses of a workload that is gone.
    pub(crate) fn give_addresses_back(&self, workload: &Name) -> Result<()> {
        if !self.paths().database().exists() {
            return Ok(());
        }
        self.addresses()?.give_back(workload, None)
    }

    /// Passes the addresses of a workload to its new name.
    pub(crate) fn pass_addresses(&self, from: &Name, to: &Name) -> Result<()> {
        if !self.paths().database().exists() {
            return Ok(());
        }
        self.addresses()?.pass(from, to)
    }
}

/// A network as a host with or without IPv6 can have it. One whose IPv6 was switched off since would refuse each address.
fn as_the_host(network: Network, has_ipv6: bool) -> Network {
    let ipv6 = network.ipv6.filter(|_| has_ipv6);
    Network { ipv6, ..network }
}

/// Whether the kernel speaks IPv6 and new interfaces may have it.
fn has_ipv6() -> bool {
    // A kernel without IPv6 has no such switch.
    let is_on = |which| may_have_ipv6(which).unwrap_or(false);
    is_on("all") && is_on("default")
}

/// Whether a bridge may have IPv6; one that is not there, whether it would.
fn bridge_has_ipv6(bridge: &str) -> bool {
    may_have_ipv6(bridge).unwrap_or_else(has_ipv6)
}

fn may_have_ipv6(which: &str) -> Option<bool> {
    let path = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
    files::read_text(path.as_ref(), 16).ok().map(|text| text.trim() == "0")
}

/// Whether somebody of these is connected to a network.
pub(crate) fn is_in_use(network: &Name, attached: &[Attached]) -> bool {
    let mut endpoints = attached.iter().flat_map(|one| &one.endpoints);
    endpoints.any(|endpoint| endpoint.network == *network)
}

/// Whether a container is to be connected to a network.
fn is_member(spec: &Spec, network: &Name) -> bool {
    spec.networks.iter().any(|attachment| attachment.network == *network)
}

/// The names that files `NAME.json` in a folder have, sorted.
fn stems(dir: &std::path::Path) -> files::Result<Vec<Name>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(files::Error::new("read", dir, e)),
    };
    let stem = |e: std::fs::DirEntry| e.file_name().to_str()?.strip_suffix(".json")?.parse().ok();
    let mut names: Vec<Name> = entries.flatten().filter_map(stem).collect();
    names.sort_unstable();
    Ok(names)
}
