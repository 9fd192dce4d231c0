//! The host, the configuration and the audit trail on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The server's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Of Volt.
    pub version: String,
    /// Of the API.
    pub api: String,
}

/// The host and what Volt has on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemInfo {
    /// Volt's version.
    pub version: String,
    /// The host's name.
    pub hostname: String,
    /// The operating system, as it names itself.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: String,
    /// systemd's version; none where systemd isn't PID 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systemd: Option<String>,
    /// CPUs.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// cgroup controllers that units can use.
    pub controllers: Vec<String>,
    /// Backends that work here.
    pub backends: Vec<String>,
    /// Where Volt keeps its state.
    pub root: String,
    /// `daemon` or `embedded`: who answered.
    pub served_by: String,
    /// Containers by state.
    pub containers: std::collections::BTreeMap<String, u64>,
    /// Images.
    pub images: u64,
    /// Volumes.
    pub volumes: u64,
}

/// What this host can do, and what of Volt's state is amiss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemCheck {
    /// One row for each thing Volt may need.
    pub checks: Vec<Check>,
    /// What is left over or broken in Volt's own state.
    pub findings: Vec<Finding>,
}

/// One thing that Volt may need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// A word for it.
    pub id: String,
    /// What it is.
    pub title: String,
    /// `ok`, `limited` or `missing`.
    pub state: String,
    /// What was found.
    pub detail: String,
    /// The command that mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Something left over or broken in Volt's own state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it is about, a path or a name.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// Whether `--repair` mended it just now.
    pub repaired: bool,
}

/// Disk space by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiskUsage {
    /// `images`, `cas`, `containers`, `volumes`, `cache`, `logs`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// How many of them are used by something.
    pub active: u64,
    /// Bytes.
    pub size: u64,
    /// Bytes that `system prune` would free.
    pub reclaimable: u64,
}

/// What to prune.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SystemPrune {
    /// Images that no container uses.
    pub images: bool,
    /// Volumes that no container mounts.
    pub volumes: bool,
    /// Only say what would go.
    pub dry_run: bool,
}

/// What was pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// What went, as `kind name`.
    pub removed: Vec<String>,
    /// Bytes freed.
    pub freed: u64,
}

/// A value of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigValue {
    /// The key, with dots.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
    /// Whether the file sets it.
    pub set: bool,
    /// What it is for.
    pub description: String,
}

/// Which key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigKey {
    /// The key, with dots.
    pub key: String,
}

/// How to change a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigSet {
    /// `=`, `+=` or `-=`.
    pub operator: String,
    /// The value, as text; it is read as the key's type.
    pub value: String,
}

/// The configuration file as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigText {
    /// The file's content, YAML.
    pub text: String,
    /// A digest of what it was when it was read; a file changed meanwhile is not overwritten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// A line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRecord {
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
    /// Who.
    pub user: String,
    /// Who, as a number.
    pub uid: u32,
    /// What, such as `container.create`.
    pub action: String,
    /// To what.
    pub resource: String,
    /// `success`, `failure` or `refused`.
    pub result: String,
    /// The request.
    pub request_id: String,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which lines of the audit trail.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditList {
    /// Only the last so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Only of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only actions that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only about this resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Not older.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// Which line of the audit trail.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditShow {
    /// The request.
    pub request_id: String,
}
