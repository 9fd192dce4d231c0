//! Watching over what the kernel has of networks: what another program takes away is put back.

use super::bridge::{forwards, gateways};
use super::settle::Settler;
use crate::Engine;
use crate::error::{Error, Result};
use crate::event::restored_file;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use volt_host::files;
use volt_host::netlink::{Link, Netlink, Watch};
use volt_host::watch::{Change, FolderWatch};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::ruleset::TABLE;
use volt_model::net::{Endpoint, bridge_mac};

/// How long nothing must have happened before it is looked at, and how long that may be put off.
const QUIET: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(2);
/// How long at the most is waited before what could not be put back is tried again.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// What a network has lost beside what is its own.
const FIREWALL: &str = "firewall";

/// What is not as it is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// Somebody who watches, with what he has yet to do.
struct Watcher {
    news: Watch,
    /// Whether the kernel, or what is in force of policies and rules, has changed.
    is_news: bool,
    /// Whoever finishes what killed commands left, and is told of each lock that somebody has let go of.
    settler: Sender<Vec<Change>>,
    before: Lost,
    pause: Duration,
    /// When what could not be put back is tried again.
    again: Option<Instant>,
}

impl Watcher {
    fn begin(engine: &Engine) -> Result<Self> {
        let paths = engine.paths();
        files::create_dirs(&paths.run, 0o755)?;
        files::create_dirs(&paths.locks(), 0o700)?;
        files::create_dirs(&paths.lib, 0o755)?;
        let folders = FolderWatch::with_writes(&[&paths.locks(), &paths.lib])?;
        Ok(Self {
            news: Watch::new(folders)?,
            is_news: false,
            settler: Settler::begin(engine)?,
            before: Lost::default(),
            pause: Duration::ZERO,
            again: None,
        })
    }

    /// Waits until there is something to look at.
    fn wait(&mut self, engine: &Engine) -> Result<()> {
        let news = self.news.wait(QUIET, MOST, self.again).map_err(|e| {
            Error::new(ErrorKind::General, "The kernel's network can't be watched").because(e)
        })?;
        let orders = engine.paths().orders();
        let of_orders = |change: &Change| matches!(change, Change::Appeared { name, .. } if orders.ends_with(name));
        let is_due = self.again.is_some_and(|at| at <= Instant::now());
        self.is_news = news.of_kernel || is_due || news.of_folders.iter().any(of_orders);
        if news.of_folders.is_empty() {
            return Ok(());
        }
        self.settler.send(news.of_folders).map_err(|_| {
            Error::new(ErrorKind::General, "What killed commands left is settled by nobody")
        })
    }

    fn look(&mut self, engine: &Engine) {
        if !self.is_news {
            return;
        }
        match engine.lost_networks() {
            Ok(lost) if lost.is_nothing() => {
                (self.before, self.pause, self.again) = (lost, Duration::ZERO, None);
            }
            // A try makes news of its own, which is none where nothing else is lost.
            Ok(lost) if lost == self.before && self.again.is_some_and(|at| Instant::now() < at) => {
            }
            Ok(lost) => {
                // What can't be put back is tried ever more seldom; what else is lost meanwhile, at once.
                let is_same = lost == self.before;
                self.pause = if is_same { (self.pause * 2).min(LONGEST) } else { QUIET };
                engine.put_back(&lost);
                (self.before, self.again) = (lost, Some(Instant::now() + self.pause));
            }
            Err(error) => {
                self.again = Some(Instant::now() + LONGEST);
                tracing::error!(error = %error.chain().join(": "), "networks can't be looked at");
            }
        }
        // Whoever was killed before it could say that somebody has gone has left his port, or the news of its end.
        if let Err(error) = engine.tell_addresses() {
            tracing::error!(error = %error.chain().join(": "), "servers of addresses can't be told");
        }
        if let Err(error) = engine.tell_names() {
            tracing::error!(error = %error.chain().join(": "), "names can't be told");
        }
        if let Err(error) = engine.put_bare_back() {
            tracing::error!(error = %error.chain().join(": "), "bridges can't be put back");
        }
    }
}

impl Engine {
    /// Raises all networks that can be, calls `ready`, and puts back what is taken away from then on. Returns only with an error.
    ///
    /// # Errors
    /// When the kernel's news can't be had.
    pub fn watch_networks(&self, ready: &mut dyn FnMut()) -> Result<()> {
        // What happens while they are raised is news already.
        let mut watcher = Watcher::begin(self)?;
        if let Err(error) = self.take_orders() {
            tracing::error!(error = %error.chain().join(": "), "policies and rules stay as they were");
        }
        if let Err(error) = self.networks_up() {
            tracing::error!(error = %error.chain().join(": "), "not all networks could be raised");
        }
        ready();
        loop {
            watcher.look(self);
            watcher.wait(self)?;
        }
    }

    /// Puts back what was lost, and tells whoever follows events of it.
    fn put_back(&self, lost: &Lost) {
        let mut all = lost.networks.clone();
        if lost.firewall {
            tracing::warn!("another program changed the firewall's tables; they are put back");
            for network in self.network_names().unwrap_or_default() {
                all.entry(network).or_default().push(FIREWALL.to_owned());
            }
        }
        let alone = lost.firewall && all.is_empty();
        for (network, what) in &all {
            let what = what.join(", ");
            tracing::warn!(%network, lost = what, "another program took away what a network needs; it is put back");
        }
        let left = match self.networks_up() {
            Ok(()) => Lost::default(),
            Err(error) => {
                tracing::error!(error = %error.chain().join(": "), "not all can be put back");
                self.lost_networks().unwrap_or_else(|_| lost.clone())
            }
        };
        for (network, lost) in &all {
            let stays = left.networks.get(network);
            let is_back = |what: &&String| match what.as_str() {
                FIREWALL => !left.firewall,
                _ => stays.is_none_or(|stays| !stays.contains(what)),
            };
            let back: Vec<String> = lost.iter().filter(is_back).cloned().collect();
            if !back.is_empty() {
                self.tell_of_restored("network", network.as_str(), &back);
            }
        }
        if alone && !left.firewall {
            self.tell_of_restored("firewall", TABLE, &[FIREWALL.to_owned()]);
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
