//! A stack: what the files say together, checked. One model for Compose's form and for Volt's own.
//!
//! Keys are those of the files (`services.web` is `web`); what things are called on the host follows from them, see
//! [`names`](crate::names). Paths are absolute, variables are put in, and nothing here needs the files again.

mod container;
mod resources;
mod volt;

pub use container::{
    Check, Connection, Container, Device, Grant, Health, Hook, Isolation, Logging, Mount,
    MountKind, NetworkMode, OnUnhealthy, Pull, UpdateOrder,
};
pub use resources::{
    Asset, AssetSource, Build, External, Network, Pool, Volume, Watch, WatchAction,
};
pub use volt::{Schedule, ServiceUnit, Task, Vm};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use volt_model::name::Name;

/// Everything that belongs together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// What it is called.
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What runs: containers, virtual machines, services of systemd and tasks, by key.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// Networks by key. `default` is there where a service uses it.
    #[serde(default)]
    pub networks: BTreeMap<String, Network>,
    /// Volumes by key.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
    /// Files of configuration by key.
    #[serde(default)]
    pub configs: BTreeMap<String, Asset>,
    /// Secrets by key.
    #[serde(default)]
    pub secrets: BTreeMap<String, Asset>,
}

impl Stack {
    /// Whether somebody waits for a service to have ended well.
    #[must_use]
    pub fn is_awaited(&self, key: &str) -> bool {
        self.services.values().any(|service| {
            let on = service.depends_on.get(key);
            on.is_some_and(|on| on.condition == Condition::ServiceCompletedSuccessfully)
        })
    }
}

/// One thing that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What it is.
    pub workload: Workload,
    /// What has to be there before it.
    #[serde(default)]
    pub depends_on: BTreeMap<String, Dependency>,
    /// How many of it there are.
    #[serde(default = "one")]
    pub replicas: u32,
    /// The profiles that it belongs to; it is always there where there are none.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Whether `up` shows its log.
    #[serde(default = "yes")]
    pub attach: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl Service {
    /// One of this workload, on nothing's account.
    #[must_use]
    pub fn new(workload: Workload) -> Self {
        Self {
            workload,
            depends_on: BTreeMap::new(),
            replicas: 1,
            profiles: Vec::new(),
            attach: true,
        }
    }

    /// Its container, where it is one.
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        match &self.workload {
            Workload::Container(container) => Some(container),
            _ => None,
        }
    }

    /// The secrets that it may read.
    #[must_use]
    pub fn secrets(&self) -> &[Grant] {
        match &self.workload {
            Workload::Container(container) => &container.secrets,
            Workload::Service(unit) => &unit.secrets,
            Workload::Task(task) => &task.secrets,
            Workload::Vm(_) => &[],
        }
    }
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// A container of an image, whatever isolates it.
    Container(Box<Container>),
    /// A virtual machine.
    Vm(Box<Vm>),
    /// A service of systemd, on the host.
    Service(Box<ServiceUnit>),
    /// A command that a timer starts.
    Task(Box<Task>),
}

impl Workload {
    /// The word for it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Container(_) => "container",
            Self::Vm(_) => "vm",
            Self::Service(_) => "service",
            Self::Task(_) => "task",
        }
    }
}

/// What a dependency must have reached (Compose Specification, 05-services: depends_on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was started.
    #[default]
    ServiceStarted,
    /// It is healthy.
    ServiceHealthy,
    /// It ended well.
    ServiceCompletedSuccessfully,
}

impl Condition {
    /// All there are, with their words.
    pub const ALL: [(&str, Self); 3] = [
        ("service_started", Self::ServiceStarted),
        ("service_healthy", Self::ServiceHealthy),
        ("service_completed_successfully", Self::ServiceCompletedSuccessfully),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }
}

/// What one service asks of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// How far it must have come.
    pub condition: Condition,
    /// Whether this one is started again when the other one was changed.
    pub restart: bool,
    /// Whether this one can't do without it.
    pub required: bool,
}

impl Default for Dependency {
    fn default() -> Self {
        Self { condition: Condition::default(), restart: false, required: true }
    }
}
