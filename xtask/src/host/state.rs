//! What is known of each host, in `/run/volt-xtask/hosts/NAME`: which processes it has, which
//! cgroup, which folders. A process is known by its pid and the time it was started, so a pid that
//! was given to somebody else is never taken for it.
//!
//! ```text
//! /run/volt-xtask/hosts/NAME/{state.json,lock,keeper.log,boot.log}
//! CACHE/hosts/NAME/{upper,work,root,data/…}           tier 2
//! CACHE/hosts/NAME/{disk.qcow2,console.log,ports/…}   tier 3
//! ```

use std::fs::{self, File};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache;
use crate::paths;
use crate::run::{Context, Result, fail};

/// The two kinds of test host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// systemd as PID 1 in fresh namespaces (tier 2).
    Namespaces,
    /// A QEMU guest with its own kernel (tier 3).
    Vm,
}

/// A process, told apart from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its pid as we see it; 0 for none.
    pub(crate) pid: i32,
    /// When it started, in clock ticks since boot.
    pub(crate) started: u64,
}

impl Process {
    /// The process that has this pid now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold spaces and parentheses; what follows the last one may not.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let dead = matches!(fields.next()?, "Z" | "X");
        let started = fields.nth(18)?.parse().ok()?;
        (!dead).then_some(Self { pid, started })
    }

    /// Whether it still runs.
    pub(crate) fn alive(self) -> bool {
        self.pid > 0 && Self::of(self.pid) == Some(self)
    }

    /// Kills it if it still runs.
    pub(crate) fn kill(self) {
        if self.alive()
            && let Some(pid) = rustix::process::Pid::from_raw(self.pid)
        {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// A host, as `up` made it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// Its name, which is its host name too.
    pub(crate) name: String,
    /// Its Debian release.
    pub(crate) suite: String,
    /// In namespaces, or a VM.
    pub(crate) kind: Kind,
    /// The keeper, or QEMU.
    pub(crate) keeper: Process,
    /// PID 1 of the host; none for a VM.
    pub(crate) leader: Process,
    /// Its folder in the cgroup tree; none for a VM.
    pub(crate) cgroup: Option<PathBuf>,
    /// Its folder on disk.
    pub(crate) disk: PathBuf,
    /// How often it was booted.
    pub(crate) boots: u32,
}

impl State {
    /// Whether it is up.
    pub(crate) fn alive(&self) -> bool {
        match self.kind {
            Kind::Namespaces => self.leader.alive(),
            Kind::Vm => self.keeper.alive(),
        }
    }

    /// Writes it down, whole or not at all.
    pub(crate) fn save(&self) -> Result<()> {
        let path = folder(&self.name).join("state.json");
        let stage = path.with_extension("tmp");
        let text = serde_json::to_string_pretty(self).context(|| path.display().to_string())?;
        cache::write(&stage, text)?;
        fs::rename(&stage, &path).context(|| path.display().to_string())
    }

    /// Reads what is known of a host, up or not.
    pub(crate) fn load(name: &str) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(folder(name).join("state.json")).ok()?).ok()
    }

    /// Reads it, and fails unless the host is up.
    pub(crate) fn running(name: &str) -> Result<Self> {
        match Self::load(name) {
            Some(state) if state.alive() => Ok(state),
            Some(_) => fail(format!("host {name} is down; 'cargo xtask host up {name}'")),
            None => fail(format!("there is no host {name}; 'cargo xtask host up {name}'")),
        }
    }
}

/// What a task calls a host of its own: where a run of the tests has set itself apart by `VOLT_E2E_HOSTS`, beginning with that.
pub(crate) fn own(name: &str) -> String {
    paths::variable("VOLT_E2E_HOSTS")
        .map_or_else(|| name.to_owned(), |first| format!("{first}-{name}"))
}

/// Where everything about running hosts is.
pub(crate) fn hosts() -> PathBuf {
    paths::runtime().join("hosts")
}

/// The folder of one host's state.
pub(crate) fn folder(name: &str) -> PathBuf {
    hosts().join(name)
}

fn disks() -> PathBuf {
    paths::cache().join(format!("hosts{}", paths::tag()))
}

/// The folder of one host's disk.
pub(crate) fn disk(name: &str) -> PathBuf {
    disks().join(name)
}

/// The names of all hosts that left anything behind, up or not, sorted.
pub(crate) fn names() -> Vec<String> {
    let folders = [hosts(), disks()];
    let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Keeps others from bringing the same host up or down meanwhile.
pub(crate) fn lock(name: &str) -> Result<File> {
    let locks = paths::runtime().join("locks");
    fs::create_dir_all(&locks).context(|| locks.display().to_string())?;
    cache::lock(&locks.join(name))
}

/// Refuses what would not do as the name of a machine and of a folder.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(fine) || name.starts_with('-') {
        return fail(format!("'{name}' is not a host's name: lower-case letters, digits, hyphens"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = i32::try_from(std::process::id()).expect("a pid is small");
        let process = Process::of(own).expect("we run");
        assert!(process.alive());
        assert!(!Process { started: process.started + 1, ..process }.alive());
    }

    #[test]
    fn names_are_checked() {
        for (name, good) in [("default", true), ("t-2", true), ("", false), ("a/b", false)] {
            assert_eq!(check_name(name).is_ok(), good, "{name}");
        }
    }
}
