//! The configuration file, `etc/volt/config.yaml`: its keys, their defaults and their meaning.

use crate::name::Name;
use crate::registry::DOCKER;
use crate::size::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All of it. A key that is not here is refused with the nearest name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The daemon.
    pub daemon: Daemon,
    /// What containers get where nothing else is said.
    pub container: Container,
    /// Where images come from.
    pub image: Image,
}

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    /// Seconds without a request after which the daemon leaves.
    pub idle_seconds: u64,
    /// What goes to `daemon.log`: error, warn, info, debug or trace.
    pub log_level: String,
}

impl Default for Daemon {
    fn default() -> Self {
        Self { idle_seconds: 60, log_level: "info".to_owned() }
    }
}

/// What containers get where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Container {
    /// The backend: `systemd` or `proot`; empty takes what the host can do.
    pub backend: String,
    /// The network: `none`, `host` or what one is called.
    pub network: String,
    /// Seconds between the stop signal and the kill.
    pub stop_timeout: u32,
    /// Name servers written into `resolv.conf`; empty takes the host's.
    pub dns: Vec<String>,
}

impl Default for Container {
    fn default() -> Self {
        Self {
            backend: String::new(),
            network: crate::net::DEFAULT.to_owned(),
            stop_timeout: 10,
            dns: Vec::new(),
        }
    }
}

/// Where images come from and how large they may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Image {
    /// The Debian mirror that `image pull debian` uses; empty takes the host's.
    pub mirror: String,
    /// The largest image, unpacked.
    pub max_size: Bytes,
    /// The registry that names without one mean.
    pub registry: String,
    /// Registries that are spoken to without TLS where they have none; those on this host always are.
    pub insecure_registries: Vec<String>,
    /// Whether what was pulled is kept as it was, beside what is in it, so that it can be pushed again just so.
    pub keep_blobs: bool,
    /// Registries to ask first in place of another, which is the key.
    pub registry_mirrors: BTreeMap<String, Vec<String>>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            mirror: String::new(),
            max_size: Bytes(64 << 30),
            registry: DOCKER.to_owned(),
            insecure_registries: Vec::new(),
            keep_blobs: true,
            registry_mirrors: BTreeMap::new(),
        }
    }
}

/// A name that can't be given to a container, because a word of the command line or a file has it.
#[must_use]
pub fn is_reserved(name: &Name) -> bool {
    matches!(name.as_str(), "volt" | "host" | "localhost")
}

/// The candidate that is fewest changes away from `word`, when that is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(d, candidate)| *d <= 1 + candidate.len() / 4)
        .min_by_key(|(d, _)| *d)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, for short words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses() {
        assert_eq!(nearest("contaner", ["container", "image"]), Some("container"));
        assert_eq!(nearest("idle_second", ["idle_seconds", "log_level"]), Some("idle_seconds"));
        assert_eq!(nearest("zebra", ["container", "image"]), None);
    }
}
