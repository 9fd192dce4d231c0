//! The host, described.

use super::version::Version;
use crate::Engine;
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use volt_host::{cgroup, files};
use volt_model::container::Backend;
use volt_model::state::State;

/// The host and what Volt has on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// Volt's version.
    pub version: &'static str,
    /// The host's name.
    pub hostname: String,
    /// The operating system, as it names itself.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// `x86_64`, `aarch64`, …
    pub architecture: &'static str,
    /// systemd's version; none where systemd isn't PID 1.
    pub systemd: Option<String>,
    /// CPUs.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// cgroup controllers that units can use.
    pub controllers: Vec<String>,
    /// Backends that work here.
    pub backends: Vec<Backend>,
    /// Where Volt keeps its state.
    pub root: PathBuf,
    /// `daemon` or `embedded`.
    pub served_by: &'static str,
    /// Containers by state.
    pub containers: BTreeMap<&'static str, u64>,
    /// Images by name.
    pub images: u64,
    /// Volumes.
    pub volumes: u64,
}

impl Engine {
    /// Describes the host and what Volt has on it.
    ///
    /// # Errors
    /// When Volt's own state can't be read.
    pub fn system_info(&self) -> Result<Info> {
        let Version { version, .. } = self.system_version();
        let (specs, unreadable) = self.records()?;
        let states = self.run_states(&specs)?;
        let mut containers = BTreeMap::new();
        if !unreadable.is_empty() {
            containers.insert("unreadable", unreadable.len() as u64);
        }
        for spec in &specs {
            let state = states.get(&spec.name).map_or(State::Stopped, |run| run.state);
            *containers.entry(state.word()).or_default() += 1;
        }
        let systemd = self.systemd().version().ok();
        Ok(Info {
            version,
            hostname: line("/proc/sys/kernel/hostname"),
            os: os_name(),
            kernel: line("/proc/sys/kernel/osrelease"),
            architecture: std::env::consts::ARCH,
            systemd,
            cpus: std::thread::available_parallelism()
                .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
            memory: memory(),
            controllers: controllers(),
            backends: self.usable_backends(),
            root: self.paths().lib.clone(),
            served_by: self.settings().served_by,
            containers,
            images: self.images().list()?.len() as u64,
            volumes: self.volume_names()?.len() as u64,
        })
    }
}

fn line(path: &str) -> String {
    files::read_text(Path::new(path), 64 << 10).unwrap_or_default().trim().to_owned()
}

fn os_name() -> String {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| files::read_text(Path::new(path), 64 << 10).ok())
        .unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches(['"', '\'']).to_owned())
}

/// All memory, in bytes.
fn memory() -> u64 {
    let text = line("/proc/meminfo");
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map_or(0, |kib: u64| kib * 1024)
}

/// The controllers of the cgroup tree's root.
pub(super) fn controllers() -> Vec<String> {
    cgroup::root().and_then(|root| cgroup::Cgroup::at(root).controllers()).unwrap_or_default()
}
