//! The v2 control group hierarchy: where it is, what a group uses, freezing and killing one.
//!
//! systemd owns the tree; Volt changes only what a unit delegates to it (`payload/` below a container's).

mod stats;
#[cfg(test)]
mod tests;

use crate::files::{Context, Error, Result};
use crate::mounts;
use rustix::event::PollFlags;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use stats::{CpuUse, IoUse, MemoryEvents, Usage, parse_flat, parse_io, parse_limit};

/// The most that is read of one of its files, in bytes.
const FILE_LIMIT: usize = 256 << 10;

/// Where the v2 hierarchy is mounted; `NotFound` where it is not.
pub fn root() -> Result<PathBuf> {
    let usual = Path::new("/sys/fs/cgroup");
    if usual.join("cgroup.controllers").exists() {
        return Ok(usual.to_owned());
    }
    // Beside a v1 hierarchy it is elsewhere.
    let all = mounts::mounts().map_err(|error| Error::new("find", usual, error.source))?;
    let found = all.into_iter().find(|mount| mount.fs_type == "cgroup2");
    found
        .map(|mount| mount.mount_point)
        .ok_or_else(|| Error::new("find the v2 hierarchy in", usual, io::ErrorKind::NotFound))
}

/// A group. It may not exist (any more).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The group of a unit, from systemd's `ControlGroup` (a path below the root, with a leading slash).
    pub fn of_unit(control_group: &str) -> Result<Self> {
        Ok(Self { path: root()?.join(control_group.trim_start_matches('/')) })
    }

    /// The group at a path in the file system.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A group below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self { path: self.path.join(name) }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it exists.
    pub fn exists(&self) -> bool {
        self.path.join("cgroup.procs").exists()
    }

    /// The controllers that work in it: a limit of any other kind is accepted by systemd and has no effect.
    pub fn controllers(&self) -> Result<Vec<String>> {
        let text = self.read("cgroup.controllers")?;
        Ok(text.split_ascii_whitespace().map(str::to_owned).collect())
    }

    /// The processes in it, not those in groups below.
    pub fn processes(&self) -> Result<Vec<u32>> {
        let text = self.read("cgroup.procs")?;
        Ok(text.lines().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Moves a process into it; 0 is the caller.
    pub fn add_process(&self, pid: u32) -> Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Whether a process is in it or below it.
    pub fn is_populated(&self) -> Result<bool> {
        self.event("populated")
    }

    /// What it uses. What its controllers do not count is absent.
    pub fn usage(&self) -> Result<Usage> {
        let file = |name| match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        };
        let number = |name| Ok(file(name)?.as_deref().and_then(parse_limit));
        Ok(Usage {
            cpu: file("cpu.stat")?.as_deref().map(CpuUse::parse),
            memory: number("memory.current")?,
            memory_peak: number("memory.peak")?,
            memory_max: number("memory.max")?,
            memory_events: file("memory.events")?.as_deref().map(MemoryEvents::parse),
            pids: number("pids.current")?,
            pids_max: number("pids.max")?,
            io: file("io.stat")?.as_deref().map(parse_io),
        })
    }

    /// Suspends all its processes and waits until they stand still; thaws again when they do not in this time.
    pub fn freeze(&self, limit: Duration) -> Result<()> {
        self.write("cgroup.freeze", "1")?;
        match self.wait_event("frozen", limit) {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.thaw()?;
                Err(Error::new("freeze", &self.path, io::ErrorKind::TimedOut))
            }
            Err(error) => Err(error),
        }
    }

    /// Undoes `freeze`.
    pub fn thaw(&self) -> Result<()> {
        self.write("cgroup.freeze", "0")
    }

    /// Whether all its processes stand still.
    pub fn is_frozen(&self) -> Result<bool> {
        self.event("frozen")
    }

    /// Kills all in it and below it (kernel 5.14).
    pub fn kill(&self) -> Result<()> {
        self.write("cgroup.kill", "1")
    }

    /// Waits until no process is in it or below it. False when one still is after this time.
    pub fn wait_empty(&self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        let path = self.path.join("cgroup.events");
        match watch(&path, deadline, |text| !flag(text, "populated")) {
            // A group that is gone is empty.
            Err(error) if error.is_not_found() => Ok(true),
            other => other,
        }
    }

    fn wait_event(&self, key: &str, limit: Duration) -> Result<bool> {
        let path = self.path.join("cgroup.events");
        watch(&path, Instant::now() + limit, |text| flag(text, key))
    }

    fn event(&self, key: &str) -> Result<bool> {
        Ok(flag(&self.read("cgroup.events")?, key))
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.path.join(name);
        crate::files::read_text(&path, FILE_LIMIT).map_err(gone_is_not_found)
    }

    fn write(&self, name: &str, value: &str) -> Result<()> {
        let path = self.path.join(name);
        fs::write(&path, value).on("write", &path).map_err(gone_is_not_found)
    }
}

/// The files of a group that was removed while they were open answer ENODEV.
fn gone_is_not_found(error: Error) -> Error {
    if error.source.raw_os_error() == Some(libc::ENODEV) {
        return Error::new(error.action, error.path, io::ErrorKind::NotFound);
    }
    error
}

fn flag(text: &str, key: &str) -> bool {
    parse_flat(text).any(|(name, value)| name == key && value == 1)
}

/// Reads an events file each time it changes, until it says so. False when it does not in time.
fn watch(path: &Path, deadline: Instant, done: impl Fn(&str) -> bool) -> Result<bool> {
    let mut file = File::open(path).on("read", path)?;
    loop {
        let mut text = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut text))
            .on("read", path)
            .map_err(gone_is_not_found)?;
        if done(&text) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        crate::process::wait_for(file.as_fd(), PollFlags::PRI, left).on("watch", path)?;
    }
}
