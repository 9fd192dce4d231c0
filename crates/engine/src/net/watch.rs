//! Watching over what the kernel has of networks: what another program takes away is put back.

use super::bridge::{forwards, gateways};
use crate::Engine;
use crate::error::{Error, Result};
use crate::event::restored_file;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use volt_host::files;
use volt_host::netlink::{Link, Netlink, Watch};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::ruleset::TABLE;
use volt_model::net::{Endpoint, bridge_mac};

/// How long nothing must have happened before it is looked at, and how long that may be put off.
const QUIET: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(2);
/// How long at the most is waited before what could not be put back is tried again.
const LONGEST: Duration = Duration::from_secs(60);

/// What is not as it is to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Whether that is the firewall.
    pub(crate) firewall: bool,
    /// What each network has lost beside it.
    pub(crate) networks: BTreeMap<Name, Vec<String>>,
}

impl Lost {
    fn is_nothing(&self) -> bool {
        !self.firewall && self.networks.is_empty()
    }
}

impl Engine {
    /// Raises all networks that can be, calls `ready`, and puts back what is taken away from then on. Returns only with an error.
    ///
    /// # Errors
    /// When the kernel's news can't be had.
    pub fn watch_networks(&self, ready: &mut dyn FnMut()) -> Result<()> {
        // What happens while they are raised is news already.
        let watch = Watch::new()?;
        if let Err(error) = self.take_orders() {
            tracing::error!(error = %error.chain().join(": "), "policies and rules stay as they were");
        }
        if let Err(error) = self.networks_up() {
            tracing::error!(error = %error.chain().join(": "), "not all networks could be raised");
        }
        ready();
        let (mut before, mut pause, mut again) = (Lost::default(), Duration::ZERO, None);
        loop {
            watch.wait(QUIET, MOST, again).map_err(|e| {
                Error::new(ErrorKind::General, "The kernel's network can't be watched").because(e)
            })?;
            // Whoever was killed before it could say that somebody has gone has left his port, or the news of its end.
            if let Err(error) = self.tell_names() {
                tracing::error!(error = %error.chain().join(": "), "names can't be told");
            }
            if let Err(error) = self.put_bare_back() {
                tracing::error!(error = %error.chain().join(": "), "bridges can't be put back");
            }
            match self.lost_networks() {
                Ok(lost) if lost.is_nothing() => {
                    (before, pause, again) = (lost, Duration::ZERO, None);
                }
                // A try makes news of its own, which is none where nothing else is lost.
                Ok(lost) if lost == before && again.is_some_and(|at| Instant::now() < at) => {}
                Ok(lost) => {
                    // What can't be put back is tried ever more seldom; what else is lost meanwhile, at once.
                    pause = if lost == before { (pause * 2).min(LONGEST) } else { QUIET };
                    self.put_back(&lost);
                    (before, again) = (lost, Some(Instant::now() + pause));
                }
                Err(error) => {
                    again = Some(Instant::now() + LONGEST);
                    tracing::error!(error = %error.chain().join(": "), "networks can't be looked at");
                }
            }
        }
    }

    /// Puts back what was lost, and tells whoever follows events of it.
    fn put_back(&self, lost: &Lost) {
        let mut all = lost.networks.clone();
        if lost.firewall {
            tracing::warn!("another program changed the firewall's tables; they are put back");
            for network in self.network_names().unwrap_or_default() {
                all.entry(network).or_default().push("firewall".to_owned());
            }
        }
        let alone = lost.firewall && all.is_empty();
        for (network, what) in &all {
            let what = what.join(", ");
            tracing::warn!(%network, lost = what, "another program took away what a network needs; it is put back");
        }
        if let Err(error) = self.networks_up() {
            tracing::error!(error = %error.chain().join(": "), "it can't be put back");
            return;
        }
        for (network, lost) in &all {
            self.tell_of_restored("network", network.as_str(), lost);
        }
        if alone {
            self.tell_of_restored("firewall", TABLE, &["firewall".to_owned()]);
        }
    }

    /// Tells whoever follows events what something had lost that was put back.
    pub(super) fn tell_of_restored(&self, kind: &str, name: &str, lost: &[String]) {
        let folder = self.paths().restored();
        let bytes = serde_json::to_vec(lost).unwrap_or_default();
        let path = folder.join(restored_file(kind, name));
        let told = files::create_dirs(&folder, 0o755)
            .and_then(|()| files::write_volatile(&path, &bytes, 0o644));
        if let Err(error) = told {
            tracing::warn!(%error, "what was put back can't be told");
        }
    }

    /// What the kernel has no longer of each network. Whoever removes one is waited for.
    pub(crate) fn lost_networks(&self) -> Result<Lost> {
        let _lock = self.lock_networks(volt_host::files::LockMode::Shared)?;
        let networks = self.networks()?;
        let mut lost = Lost {
            firewall: !self.is_firewall_whole().unwrap_or_else(|error| {
                tracing::error!(error = %error.chain().join(": "), "the firewall stays as it is");
                true
            }),
            ..Lost::default()
        };
        // A port is there before the file that tells of it.
        let attached = self.all_attached()?;
        let mut netlink = Netlink::open()?;
        let (links, addresses) = (netlink.links()?, netlink.addresses()?);
        let link = |name: &str| links.iter().find(|link| link.name == name && link.is_up);
        for network in &networks {
            let mut own = Vec::new();
            if !forwards(network.ipv6.is_some()) {
                own.push("forwarding".to_owned());
            }
            let bridge = network.bridge();
            match link(&bridge) {
                None => own.push(format!("bridge {bridge}")),
                Some(there) => {
                    let index = there.index;
                    if there.mac != Some(bridge_mac(&bridge)) {
                        own.push(format!("hardware address of {bridge}"));
                    }
                    if network.mtu.is_some_and(|mtu| mtu != there.mtu) {
                        own.push(format!("MTU of {bridge}"));
                    }
                    let has = |ip: &IpNet| {
                        addresses.iter().any(|one| one.interface == index && one.own == *ip)
                    };
                    let gone = gateways(network).into_iter().filter(|ip| !has(ip));
                    own.extend(gone.map(|ip| format!("address {ip}")));
                    for one in &attached {
                        let ports =
                            one.endpoints.iter().filter(|port| port.network == network.name);
                        let gone = ports.filter_map(|endpoint| {
                            let lost =
                                lost_of(endpoint, link(&endpoint.port), index, network.isolate)?;
                            // A run may have ended meanwhile, or left the network.
                            self.is_attached(&one.workload, endpoint).then_some(lost)
                        });
                        own.extend(gone);
                    }
                }
            }
            if !own.is_empty() {
                lost.networks.insert(network.name.clone(), own);
            }
        }
        Ok(lost)
    }
}

/// What a connection has lost, whose port is to be one of this bridge, and isolated or not.
fn lost_of(
    endpoint: &Endpoint,
    port: Option<&Link>,
    bridge: u32,
    isolated: bool,
) -> Option<String> {
    match port.filter(|port| port.bridge == Some(bridge)) {
        None => Some(format!("port {}", endpoint.port)),
        Some(port) if isolated && !port.isolated => Some(format!("isolation of {}", endpoint.port)),
        Some(port) if endpoint.rate.is_some() && !port.is_limited => {
            Some(format!("rate of {}", endpoint.port))
        }
        Some(_) => None,
    }
}
