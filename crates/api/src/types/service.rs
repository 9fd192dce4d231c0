//! Services on the wire.

use super::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service of Volt's, or of the host's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// What it is called; one of the host's by its whole unit name.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// `running`, `stopped`, `failed`, …
    pub state: String,
    /// `starting`, `healthy` or `unhealthy`, of one that runs and has a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// What it is for.
    pub description: String,
    /// systemd's word for whether it comes up at boot: `enabled`, `disabled`, `static`, …; empty where it was not asked.
    pub enabled: String,
    /// The command with its arguments; empty for one of the host's.
    pub exec: Vec<String>,
    /// Its sandbox, of one of Volt's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Who runs it; none is a user of its own, or root without a sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Folders and files of the host that it may write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writable: Vec<String>,
    /// The secrets that it finds in `$CREDENTIALS_DIRECTORY`: `NAME,target=NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Its environment; for others than root and the group `volt` only the names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// When it is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// Seconds between the signal that asks it to end and the kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// Its main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it last began to run, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// systemd's word for how its last run ended.
    pub result: String,
    /// The exit code of that, 128+n when signal n ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
    /// When it was created, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Free words of the user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What service to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceCreate {
    /// What to call it; its unit is `NAME.service`.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The command with its arguments.
    pub exec: Vec<String>,
    /// The sandbox: `standard`, `strict`, `web` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Who runs it: `USER[:GROUP]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Folders and files of the host that it may write to.
    pub writable: Vec<String>,
    /// Secrets that it finds in `$CREDENTIALS_DIRECTORY`: `NAME[,target=NAME]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// When it is started again: `no`, `on-failure[:N]` (as where nothing is said), `always` or `unless-stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// Seconds between the signal that asks it to end and the kill; 10 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Enable and start it at once.
    pub now: bool,
}

/// Which services.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceList {
    /// Those of the host too.
    pub all: bool,
}

/// Which service, and which signal.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceKill {
    /// The service.
    pub name: String,
    /// The signal; `KILL` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// Which service to remove.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceDelete {
    /// The service.
    pub name: String,
    /// Stop it first, where it runs.
    pub force: bool,
}

/// Which service is to come up at boot, or no more.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceEnable {
    /// The service, or a unit of the host by its full name.
    pub name: String,
    /// Start it now too, or stop it.
    pub now: bool,
}

/// The drop-in over a unit, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceText {
    /// As systemd reads it; empty where there is none, or to remove it.
    pub text: String,
    /// A digest of what was read; with it a text that was changed meanwhile is not overwritten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// A file of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceFile {
    /// Where it lies.
    pub path: String,
    /// What it says; nothing for who may not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A sandbox for services and tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceProfile {
    /// What it is called.
    pub name: String,
    /// How exposed a service is in it, from 0 to 10, as `systemd-analyze security` of the host says.
    pub exposure: f64,
    /// What it is for.
    pub description: String,
    /// Its directives.
    pub directives: Vec<String>,
}
