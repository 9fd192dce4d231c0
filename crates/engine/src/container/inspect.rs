//! Looking at containers.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use std::path::PathBuf;
use volt_host::process::Identity;
use volt_host::{block, cgroup, files};
use volt_model::container::{Exit, Spec};
use volt_model::health;
use volt_model::limits::Property;
use volt_model::name::Name;
use volt_model::net::Endpoint;
use volt_model::state::State;

use super::{RunState, backend};

/// A container as it is at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What was asked for.
    pub spec: Spec,
    /// In plain words.
    pub state: State,
    /// Its first process, on the host.
    pub pid: Option<u32>,
    /// When it last began to run.
    pub started: Option<Timestamp>,
    /// How often it was started again since it was last started by hand.
    pub restarts: u32,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Its environment, where the engine's user may read it.
    pub environment: Option<Vec<String>>,
    /// Limits that this host can't enforce, each with the reason.
    pub unenforced: Vec<String>,
    /// What its snapshots are called.
    pub snapshots: Vec<Name>,
    /// What it has of networks.
    pub connections: Vec<Endpoint>,
    /// What is known of its health, while it runs.
    pub health: Option<health::State>,
}

impl View {
    /// The unit that it is, where its backend makes units.
    #[must_use]
    pub fn unit(&self) -> Option<String> {
        backend::of(self.spec.backend).unit(&self.spec.name)
    }

    /// A container that was removed when it ended.
    pub(super) fn gone(spec: &Spec) -> Self {
        Self::new(spec.clone(), RunState::stopped(), None)
    }

    fn new(spec: Spec, run: RunState, exit: Option<Exit>) -> Self {
        Self {
            spec,
            state: run.state,
            pid: run.pid,
            started: run.started,
            restarts: run.restarts,
            exit,
            environment: None,
            unenforced: Vec::new(),
            snapshots: Vec::new(),
            connections: Vec::new(),
            health: None,
        }
    }
}

impl Engine {
    /// Shows all that is known of a container.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn container_inspect(&self, name: &Name) -> Result<View> {
        self.view(&self.spec(name)?)
    }

    /// Lists containers, sorted by name; without `all` only those that run.
    ///
    /// # Errors
    /// When the records or systemd can't be read.
    pub fn container_list(&self, all: bool) -> Result<Vec<View>> {
        self.listed(self.specs()?, all)
    }

    /// The containers of these specs; without `all` only those that run.
    pub(crate) fn listed(&self, specs: Vec<Spec>, all: bool) -> Result<Vec<View>> {
        let mut states = self.run_states(&specs)?;
        let views = specs.into_iter().map(|spec| {
            let run = states.remove(&spec.name).unwrap_or_else(RunState::stopped);
            let exit = self.last_exit(&spec.name);
            let health = self.health_of(&spec.name).filter(|_| run.state.is_alive());
            View { health, ..View::new(spec, run, exit) }
        });
        Ok(views.filter(|view| all || view.state.is_alive()).collect())
    }

    pub(super) fn view(&self, spec: &Spec) -> Result<View> {
        let mut view = View::new(spec.clone(), self.run_state(spec)?, self.last_exit(&spec.name));
        view.health = self.health_of(&spec.name).filter(|_| view.state.is_alive());
        view.environment = self.environment(&spec.name);
        view.unenforced = unenforced(spec);
        view.snapshots = self.cas().snapshot_names(&spec.name)?;
        view.connections = self.attached(&spec.name).map(|all| all.endpoints).unwrap_or_default();
        Ok(view)
    }

    /// The first process of a running container, as its relay wrote it down.
    pub(super) fn leader(&self, name: &Name) -> Option<u32> {
        self.leader_identity(name).map(|leader| leader.pid)
    }

    /// The same with what tells it from a later process of that id.
    pub(crate) fn leader_identity(&self, name: &Name) -> Option<Identity> {
        let text = files::read_text(&self.leader_path(name), 64).ok()?;
        let mut words = text.split_whitespace();
        let (pid, start) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Identity { pid, start }).filter(|leader| leader.is_alive())
    }

    /// When a running container's first process was noted, without asking systemd.
    pub(crate) fn started_at(&self, name: &Name) -> Option<Timestamp> {
        let written = std::fs::metadata(self.leader_path(name)).ok()?.modified().ok()?;
        Timestamp::try_from(written).ok()
    }

    fn leader_path(&self, name: &Name) -> PathBuf {
        self.paths().container_run(name).join("leader")
    }
}

/// Limits whose controller this host doesn't have.
fn unenforced(spec: &Spec) -> Vec<String> {
    let properties = spec.limits.properties();
    if properties.is_empty() {
        return Vec::new();
    }
    // What the root has, systemd can give to a unit.
    let root = cgroup::root().map(cgroup::Cgroup::at);
    let available = root.and_then(|root| root.controllers()).unwrap_or_default();
    let why = |property: &Property| {
        if !available.iter().any(|c| c == property.controller) {
            return Some(format!("this host has no cgroup controller {}", property.controller));
        }
        let weighs = property.directive != "IOWeight" || block::shares_by_weight();
        (!weighs).then(|| "no disk of this host is shared out by weight: neither io.cost.qos nor the scheduler bfq is on".to_owned())
    };
    let told = |property: &Property| Some(format!("{}: {}", property.directive, why(property)?));
    properties.iter().filter_map(told).collect()
}
