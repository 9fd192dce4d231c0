//! What killed commands left of a workload's networks: once nobody holds its name it is made what its record says.
//!
//! The kernel lets go of the locks of whoever is killed, and closing their files is news. So nobody has to write down that he begins to
//! connect somebody; a check finds by the same questions what nobody watched over.

use super::Held;
use super::watch::LONGEST;
use crate::Engine;
use crate::error::{Error, Result};
use crate::names::guarded;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};
use volt_host::files;
use volt_host::namespaces;
use volt_host::netlink::Netlink;
use volt_host::watch::Change;
use volt_model::container::{Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::net::port_name;

/// How long whoever is at work on a workload is left alone before it is looked at again.
const BUSY: Duration = Duration::from_secs(1);

/// Whoever settles it, in a thread of its own: to finish another's work takes as long as that did, and what the kernel loses meanwhile
/// is put back in a moment.
pub(super) struct Settler {
    engine: Engine,
    news: Receiver<Vec<Change>>,
    /// Whose locks somebody has let go of, and when each is looked at.
    unsettled: BTreeMap<Name, Turn>,
}

/// When it is somebody's turn, and how long he waited for it.
struct Turn {
    at: Instant,
    pause: Duration,
}

impl Turn {
    fn after(pause: Duration) -> Self {
        Self { at: Instant::now() + pause, pause }
    }

    fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }
}

impl Settler {
    /// Begins with all workloads; from then on it is to be told what changes in the folder of locks.
    pub(super) fn begin(engine: &Engine) -> Result<Sender<Vec<Change>>> {
        let (tell, news) = mpsc::channel();
        let at_once = |name: Name| (name, Turn::after(Duration::ZERO));
        let unsettled = engine.to_be_settled().into_iter().map(at_once).collect();
        let settler = Self { engine: engine.clone(), news, unsettled };
        let begun = thread::Builder::new().name("settler".into()).spawn(move || settler.run());
        let failed = |e| Error::new(ErrorKind::Resource, "No thread can be had").because(e);
        begun.map(|_| tell).map_err(failed)
    }

    /// Settles until nobody tells anything any more.
    fn run(mut self) {
        loop {
            self.settle();
            let next = self.unsettled.values().map(|turn| turn.at).min();
            let pause = next.map_or(LONGEST, |at| at.saturating_duration_since(Instant::now()));
            match self.news.recv_timeout(pause) {
                Ok(changes) => self.take(&changes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, changes: &[Change]) {
        let more: Vec<Change> = self.news.try_iter().flatten().collect();
        for name in changes.iter().chain(&more).filter_map(let_go) {
            // Whoever has a turn already has his own locks looked at by that.
            self.unsettled.entry(name).or_insert_with(|| Turn::after(Duration::ZERO));
        }
        // Who has let go of a lock may have been killed while he wrote.
        self.engine.sweep_leftovers();
    }

    fn settle(&mut self) {
        if !self.unsettled.values().any(Turn::is_due) {
            return;
        }
        let there = match self.engine.there() {
            Ok(there) => there,
            Err(error) => {
                tracing::error!(error = %error.chain().join(": "), "what killed commands left can't be looked at");
                self.unsettled.values_mut().for_each(|turn| *turn = Turn::after(LONGEST));
                return;
            }
        };
        let engine = &self.engine;
        self.unsettled.retain(|name, turn| {
            if !turn.is_due() {
                return true;
            }
            let pause = match engine.settle(name, &there) {
                Ok(true) => return false,
                Ok(false) => BUSY,
                Err(error) => {
                    tracing::error!(%name, error = %error.chain().join(": "), "what a killed command left stays");
                    (turn.pause * 2).clamp(BUSY, LONGEST)
                }
            };
            *turn = Turn::after(pause);
            true
        });
    }
}

/// The workload whose lock somebody has let go of, where that was what has changed.
fn let_go(change: &Change) -> Option<Name> {
    let Change::Appeared { name, .. } = change else { return None };
    guarded(name)
}

/// What is there beside records: addresses that are held, and interfaces of the host by name.
struct There {
    held: Vec<Held>,
    links: BTreeSet<String>,
}

impl There {
    fn held_by(&self, name: &Name) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.workload == *name)
    }
}

impl Engine {
    /// What there is now.
    fn there(&self) -> Result<There> {
        let links = Netlink::open()?.links()?.into_iter().map(|link| link.name).collect();
        Ok(There { held: self.held_addresses(), links })
    }

    /// All workloads of which something may be left.
    fn to_be_settled(&self) -> BTreeSet<Name> {
        let mut names: BTreeSet<Name> = self.intended_names().into_iter().collect();
        names.extend(self.held_addresses().into_iter().map(|held| held.workload));
        names.extend(self.all_attached().unwrap_or_default().into_iter().map(|one| one.workload));
        names
    }

    /// Takes away what is left of a workload that is not to be; whether nobody is at work on it.
    fn settle(&self, name: &Name, there: &There) -> Result<bool> {
        files::sweep_drafts(&self.paths().container(name))?;
        files::sweep_drafts(&self.dropin_dir(name))?;
        if self.is_settled(name, there)? {
            return Ok(true);
        }
        if self.is_at_work(name) {
            return Ok(false);
        }
        let _lock = self.lock_name(name)?;
        tracing::warn!(%name, "what a killed command left is made what the record says");
        if self.is_tap(name) {
            self.taps()?
                .iter()
                .filter(|tap| tap.name == *name)
                .try_for_each(|tap| self.raise_tap(tap))?;
            return self.refuse_unsettled(name);
        }
        {
            // Nobody begins a run meanwhile.
            let _root = self.lock_root(name)?;
            if !self.is_up_or_coming(name)? {
                self.wind_up_dead(name)?;
                self.release(name)?;
            }
            let there = self.there()?;
            for port in self.ports_left(name, &there)? {
                Netlink::open()?.delete(&port)?;
            }
            for left in self.addresses_left(there.held_by(name)) {
                self.addresses()?.give_back(name, Some(&left.network))?;
            }
        }
        if let Ok(spec) = self.spec(name)
            && self.is_misconnected(&spec)
        {
            self.reconnect(&spec)?;
        }
        self.refuse_unsettled(name)
    }

    /// What can't be taken away is an error, so that it is tried ever more seldom.
    fn refuse_unsettled(&self, name: &Name) -> Result<bool> {
        if self.is_settled(name, &self.there()?)? {
            return Ok(true);
        }
        let title = "Something of it stays: `volt system check` tells what";
        Err(Error::new(ErrorKind::General, title).about(name))
    }

    fn is_settled(&self, name: &Name, there: &There) -> Result<bool> {
        if self.is_tap(name) {
            return Ok(self.attached(name).is_some());
        }
        if self.intended_names().contains(name)
            || self.addresses_left(there.held_by(name)).next().is_some()
            || !self.ports_left(name, there)?.is_empty()
        {
            return Ok(false);
        }
        if self.is_released(name) {
            return Ok(true);
        }
        let spec = self.spec(name);
        if self.is_up_or_coming(name)? {
            return Ok(!spec.is_ok_and(|spec| self.is_misconnected(&spec)));
        }
        // What its next start takes away stays until then.
        Ok(spec.is_ok_and(|spec| self.backend_of(&spec).clears_at_start()))
    }

    /// Ports of a workload's by which it is not connected.
    fn ports_left(&self, name: &Name, there: &There) -> Result<Vec<String>> {
        let attached = self.attached(name).map(|one| one.endpoints).unwrap_or_default();
        let ports = self.network_names()?.into_iter().map(|network| port_name(name, &network));
        let is_left = |port: &String| {
            there.links.contains(port) && attached.iter().all(|one| one.port != *port)
        };
        Ok(ports.filter(is_left).collect())
    }

    /// Whether a container runs, is about to, or is prepared or wound up by a unit.
    fn is_up_or_coming(&self, name: &Name) -> Result<bool> {
        let units = [unit::name(name), unit::prepare_name(name), unit::exited_name(name)];
        let units = self.systemd().list_units(&units.each_ref().map(String::as_str))?;
        Ok(units.iter().any(|unit| unit.active.is_up() || unit.job.is_some()))
    }

    /// Whether a container that runs is not connected as its record says.
    pub(crate) fn is_misconnected(&self, spec: &Spec) -> bool {
        let runs = self.paths().container_run(&spec.name).join("leader").exists();
        runs && self.has_namespace(&spec.name) && !self.is_connected_as_recorded(spec)
    }

    /// Those of these addresses whose workloads are gone, or have left the network.
    pub(crate) fn addresses_left<'a>(
        &self,
        held: impl Iterator<Item = &'a Held>,
    ) -> impl Iterator<Item = &'a Held> {
        held.filter(|held| {
            let stays = match self.spec(&held.workload) {
                Ok(spec) => spec.networks.iter().any(|to| to.network == held.network),
                // It may be there all the same.
                Err(_) => self.container_exists(&held.workload),
            };
            !stays && !self.is_tap(&held.workload)
        })
    }

    /// Whether its network namespace is there. What can't be known is taken to be.
    pub(crate) fn has_namespace(&self, name: &Name) -> bool {
        namespaces::is_netns(&self.paths().container_netns(name)).unwrap_or(true)
    }
}
