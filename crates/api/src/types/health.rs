//! Health checks on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is looked at to know whether a workload is well. What is left out is as the image, or the container's record, has it; times are
/// texts such as `30s`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// Nothing is looked at, whatever the image says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub none: bool,
    /// A web page; at most one of this, `tcp` and `exec` may be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HealthHttp>,
    /// A port at which somebody listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<u16>,
    /// A command inside, which ends with 0 where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<Vec<String>>,
    /// Time between two looks; 30s where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Time after which a look has failed; 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// How many failures in a row make it unhealthy; 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How long failures do not count after a start, until the first success; 0s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<String>,
    /// Time between two looks until the first success; 5s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<String>,
    /// What is done when it has become unhealthy: `none`, `restart` or `stop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_unhealthy: Option<String>,
}

/// A web page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthHttp {
    /// The port.
    pub port: u16,
    /// The path; `/` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The codes that are good, such as `200` and `300-399`; 200 to 399 where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// What is sent along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// What to write to the file of a container's check.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfigure {
    /// The check; `null` takes the file away, so that the container's own holds again.
    pub check: Option<HealthCheck>,
}

/// How a workload is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The workload.
    pub name: String,
    /// `starting`, `healthy` or `unhealthy`; none where it doesn't run, or nobody has looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Since when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Failures in a row that count.
    pub streak: u32,
    /// When it was last looked, to about ten seconds, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<String>,
    /// Whether all was well then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// How often it was restarted for its health since it was last well for a while.
    pub restarts: u32,
    /// What is looked at; none where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<HealthCheck>,
    /// Whether its file in `etc/volt/health` has a say in that.
    pub from_file: bool,
    /// Why that file is not heeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the check said when it last failed; only for members of the group `volt` and root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_words: Option<String>,
}

/// Something that became of a workload's health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthEntry {
    /// When, RFC 3339.
    pub time: String,
    /// `healthy`, `unhealthy`, `failed`, `restarted` or `stopped`.
    pub what: String,
    /// What the check said; only for members of the group `volt` and root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}
