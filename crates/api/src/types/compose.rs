//! Stacks on the wire.

use super::{Sealed, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A stack that is to be brought up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComposeUp {
    /// The stack as one file of Compose's form that needs no other: what `volt compose config` prints.
    pub document: String,
    /// The files that it was made of, for people.
    pub files: Vec<String>,
    /// The content of the stack's own secrets, by key, in base64. What is left out stays as it is.
    pub secrets: BTreeMap<String, Sealed>,
    /// These services alone, and what they depend on; all where there are none.
    pub services: Vec<String>,
    /// Without what they depend on.
    pub no_deps: bool,
    /// What is as it should be is made anew too.
    pub force_recreate: bool,
    /// What is there is never made anew.
    pub no_recreate: bool,
    /// What the file doesn't have any more is removed.
    pub remove_orphans: bool,
    /// Services that the files have and no active profile: what there is of them is left alone.
    pub disabled: Vec<String>,
    /// Nothing is started.
    pub no_start: bool,
    /// What was done stays where a step fails.
    pub no_rollback: bool,
    /// Images that are not there are got later: a plan leaves them out of account.
    pub images_later: bool,
    /// What was started must run in the end, and be well where it has a check of its health.
    pub wait: bool,
}

/// A command that is to be run in a container like those of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComposeRun {
    /// The stack as one file of Compose's form that needs no other.
    pub document: String,
    /// The files that it was made of, for people.
    pub files: Vec<String>,
    /// The content of the stack's own secrets, by key, in base64. What is left out stays as it is.
    pub secrets: BTreeMap<String, Sealed>,
    /// Without what the service depends on.
    pub no_deps: bool,
    /// The service.
    pub service: String,
    /// The command, in place of the service's.
    pub command: Vec<String>,
    /// In place of the service's entrypoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=VALUE`, over the service's.
    pub env: Vec<String>,
    /// In place of the service's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// In place of the service's working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// What to call the container; made up where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Remove the container when it ends.
    pub auto_remove: bool,
    /// A terminal for the command.
    pub tty: bool,
    /// Keep its standard input open.
    pub stdin: bool,
    /// The ports of the service too.
    pub ports: bool,
}

/// A stack that is to be taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComposeDown {
    /// These services alone.
    pub services: Vec<String>,
    /// Its volumes too, and what is in them.
    pub volumes: bool,
    /// Also what the file didn't have any more.
    pub remove_orphans: bool,
    /// Seconds that each has to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// Services of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ComposeServices {
    /// These alone; all where there are none.
    pub services: Vec<String>,
    /// Seconds that each has to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// What is done with a stack, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComposePlan {
    /// The stack.
    pub name: String,
    /// The steps, each after all that it names.
    pub steps: Vec<ComposeStep>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComposeStep {
    /// `create`, `recreate`, `start`, `unpause`, `restart`, `stop` or `remove`.
    pub action: String,
    /// `network`, `volume` or `workload`.
    pub kind: String,
    /// What it is called on the host.
    pub name: String,
    /// Its key in the file; of a workload, its service's.
    pub key: String,
    /// Why.
    pub why: String,
    /// The steps that are done before, by their number from 0.
    pub after: Vec<usize>,
}

/// A stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComposeStack {
    /// What it is called.
    pub name: String,
    /// The files that it was made of.
    pub files: Vec<String>,
    /// The target of systemd that owns its units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// When it was first brought up, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// What belongs to it.
    pub workloads: Vec<ComposeWorkload>,
}

/// A workload of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComposeWorkload {
    /// Its service's key in the file.
    pub service: String,
    /// Which one of it, from 1.
    pub replica: u32,
    /// The workload itself.
    #[serde(flatten)]
    pub workload: Workload,
}
