//! Processes: holding one by descriptor, asking `/proc` about it, and becoming a daemon.
//!
//! A bare pid may name another process a moment later; what lasts longer than one call goes by `Pidfd` or `Identity`.

#![expect(unsafe_code, reason = "fork has no safe wrapper")]

mod daemonize;
mod listeners;
mod proc;
#[cfg(test)]
mod tests;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use daemonize::{Forked, daemonize, is_single_threaded};
pub use listeners::{Holder, Listener};
pub use proc::{Stat, Status, parse_cgroup, parse_children, parse_stat, parse_status};

/// The most that is read of a file in `/proc`, in bytes.
const PROC_LIMIT: u64 = 256 << 10;

/// A process, held so that its pid cannot come to name another.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Holds the process that has this pid now; `NotFound` where there is none.
    pub fn open(pid: u32) -> io::Result<Self> {
        match pidfd_open(raw(pid)?, PidfdFlags::empty()) {
            Ok(fd) => Ok(Self(fd)),
            Err(rustix::io::Errno::SRCH) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The pid, as our pid namespace numbers it; `NotFound` when the process is reaped.
    pub fn pid(&self) -> io::Result<u32> {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd()))?;
        let pid =
            info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse::<i64>().ok());
        pid.and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Sends a signal. False when the process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a signal by its number, real-time ones too. False when the process has ended.
    pub fn signal_numbered(&self, number: u8) -> io::Result<bool> {
        let number = i32::from(number);
        if !(1..=64).contains(&number) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the number is one that the kernel knows, and it is only passed on; nothing here handles it.
        self.signal(unsafe { Signal::from_raw_unchecked(number) })
    }

    /// Whether it still exists; a zombie does.
    pub fn exists(&self) -> bool {
        self.pid().is_ok()
    }

    /// Waits for its end, reaping nothing. False when it still runs after this time.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        wait_for(self.as_fd(), PollFlags::IN, limit)
    }
}

impl From<OwnedFd> for Pidfd {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<Pidfd> for OwnedFd {
    fn from(pidfd: Pidfd) -> Self {
        pidfd.0
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits for an event on a descriptor; false when none came in time.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, what: PollFlags, limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::from_borrowed_fd(fd, what)], Some(&time)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A process for ever: its pid and when it started, in clock ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// Its pid.
    pub pid: u32,
    /// When it started.
    pub start: u64,
}

impl Identity {
    /// Of the process that has this pid now.
    pub fn of(pid: u32) -> io::Result<Self> {
        Ok(Self { pid, start: stat(pid)?.start })
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        stat(self.pid).is_ok_and(|now| now.start == self.start && !matches!(now.state, 'Z' | 'X'))
    }

    /// Holds the process, if it still runs.
    pub fn hold(self) -> io::Result<Option<Pidfd>> {
        match Pidfd::open(self.pid) {
            // Asked after it is held: the pid cannot change hands any more.
            Ok(fd) => Ok(self.is_alive().then_some(fd)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What `/proc/PID/stat` tells.
pub fn stat(pid: u32) -> io::Result<Stat> {
    parse_stat(&read(pid, "stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What `/proc/PID/status` tells.
pub fn status(pid: u32) -> io::Result<Status> {
    Ok(parse_status(&read(pid, "status")?))
}

/// The path of a process's cgroup in the v2 hierarchy, with a leading slash, as our cgroup namespace shows it.
pub fn cgroup(pid: u32) -> io::Result<Option<PathBuf>> {
    Ok(parse_cgroup(&read(pid, "cgroup")?))
}

/// The processes that a process traces.
#[must_use]
pub fn traced_by(tracer: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| tracer_of(*pid) == Some(tracer))
        .collect()
}

/// The process that traces this one.
#[must_use]
pub fn tracer_of(pid: u32) -> Option<u32> {
    let text = read(pid, "status").ok()?;
    let tracer = text.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    tracer.trim().parse().ok().filter(|tracer| *tracer != 0)
}

/// What the clock says by which timers of systemd wait: the time since the boot without that in suspend.
pub fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// The children of a process, of all its threads.
pub fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        match read_at(&thread?.path().join("children")) {
            Ok(text) => all.extend(parse_children(&text)),
            // The thread ended meanwhile.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn read(pid: u32, file: &str) -> io::Result<String> {
    read_at(Path::new(&format!("/proc/{pid}/{file}")))
        .map_err(|error| if is_gone(&error) { io::ErrorKind::NotFound.into() } else { error })
}

fn read_at(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(PROC_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A file in `/proc` that was there when opened tells the end of its process by ESRCH.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn raw(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
