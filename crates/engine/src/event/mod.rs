//! What happens to workloads, images, volumes and networks, told as it happens.
//!
//! `folders` reads what appears in and goes from Volt's folders, `states` what the states of workloads become. No operation
//! reports to this module: it looks at what systemd and the disk say, so it also tells what `systemctl` did.

mod folders;
mod plain;
mod states;
mod stream;

pub(crate) use folders::restored_file;

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts up within one stream, from 1.
    pub id: u64,
    /// When it was seen.
    pub time: Timestamp,
    /// `container`, `service`, `task`, `image`, `volume`, `network`, `bridge`, `firewall`, `health` or `object`.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// `created`, `started`, `stopped`, `failed`, `restarting`, `frozen`, `thawed`, `renamed`, `updated`, `restored`,
    /// `deleted`; of health `starting`, `healthy` and `unhealthy`; of an object, which was found damaged, `quarantined`.
    pub action: &'static str,
    /// More, where there is more: an exit code, a reason, a former name, what was lost.
    pub details: BTreeMap<&'static str, String>,
}

/// An event before it has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct News {
    kind: &'static str,
    name: String,
    action: &'static str,
    details: BTreeMap<&'static str, String>,
}

impl News {
    fn new(kind: &'static str, name: impl Into<String>, action: &'static str) -> Self {
        Self { kind, name: name.into(), action, details: BTreeMap::new() }
    }

    fn with(mut self, key: &'static str, value: &impl ToString) -> Self {
        self.details.insert(key, value.to_string());
        self
    }
}
