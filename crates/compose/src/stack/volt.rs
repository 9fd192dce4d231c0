//! What only Volt's own form of the file has: virtual machines, services of systemd, tasks.

use super::Stack;
use super::container::{Container, Grant, Health, NetworkMode};
use crate::words::span_serde;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use volt_model::image::ImageRef;
use volt_model::limits::Limits;
use volt_model::net::Publish;
use volt_model::restart::Restart;
use volt_model::size::Bytes;

/// The network of services that name none.
const DEFAULT: &str = "default";

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vm {
    /// Its image.
    pub image: ImageRef,
    /// How many CPUs it has.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// How much memory it has.
    #[serde(default)]
    pub memory: Option<Bytes>,
    /// How large its disk is.
    #[serde(default)]
    pub disk: Option<Bytes>,
    /// The profile of its kernel.
    #[serde(default)]
    pub kernel: Option<String>,
    /// Its networks.
    #[serde(default)]
    pub network: NetworkMode,
    /// Ports of the host that lead to it.
    #[serde(default)]
    pub ports: Vec<Publish>,
    /// Variables for its first boot.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// When it is started again.
    #[serde(default)]
    pub restart: Restart,
    /// How its health is known.
    #[serde(default)]
    pub health: Option<Health>,
    /// Free words of the user.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A plain service of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceUnit {
    /// The command with its arguments.
    pub exec: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where.
    pub working_dir: Option<String>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// The profile of its sandbox.
    pub sandbox: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// When it is started again.
    pub restart: Restart,
    /// How long it has to stop.
    #[serde(with = "span_serde")]
    pub stop_grace_period: Option<Duration>,
    /// How its health is known.
    pub health: Option<Health>,
    /// Secrets that it may read; a target is a name in `$CREDENTIALS_DIRECTORY`.
    pub secrets: Vec<Grant>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// A command that a timer starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The command with its arguments.
    pub exec: Vec<String>,
    /// The image that it runs in; on the host where there is none.
    #[serde(default)]
    pub container: Option<ImageRef>,
    /// When.
    pub schedule: Schedule,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Who runs it.
    #[serde(default)]
    pub user: Option<String>,
    /// Where.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// Variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// How long it may take.
    #[serde(default, with = "span_serde")]
    pub timeout: Option<Duration>,
    /// How often it is tried again when it failed.
    #[serde(default)]
    pub retries: u32,
    /// By how much its start is put off at random.
    #[serde(default, with = "span_serde")]
    pub random_delay: Option<Duration>,
    /// Whether a time that the host slept through is made up for.
    #[serde(default)]
    pub persistent: bool,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Secrets that it may read; a target is a name in `$CREDENTIALS_DIRECTORY`, or in `/run/secrets` of its container.
    #[serde(default)]
    pub secrets: Vec<Grant>,
    /// Free words of the user.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Task {
    /// The network of the stack that its container is connected to, by key: the one of who says nothing, where there is one.
    #[must_use]
    pub fn network(&self, stack: &Stack) -> Option<&'static str> {
        let has = self.container.is_some() && stack.networks.contains_key(DEFAULT);
        has.then_some(DEFAULT)
    }

    /// The container that its runs are in, as far as a container says the same; none where it runs on the host.
    #[must_use]
    pub(crate) fn as_container(&self, stack: &Stack) -> Option<Container> {
        let image = self.container.clone()?;
        let secret = |grant: &Grant| {
            let target = format!("/run/secrets/{}", grant.target);
            Grant { target, ..grant.clone() }
        };
        let network = match self.network(stack) {
            Some(_) => NetworkMode::default(),
            None => NetworkMode::Networks(BTreeMap::new()),
        };
        Some(Container {
            image: Some(image),
            command: Some(self.exec.clone()),
            environment: self.environment.clone(),
            user: self.user.clone(),
            working_dir: self.working_dir.clone(),
            limits: self.limits.clone(),
            secrets: self.secrets.iter().map(secret).collect(),
            labels: self.labels.clone(),
            network,
            ..Container::default()
        })
    }
}

/// When a task is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// As `systemd.time(7)` has it: `Mon..Fri 03:00`.
    Calendar(String),
    /// So long after it was started last.
    Every(String),
    /// Five fields of `crontab(5)`.
    Cron(String),
}
