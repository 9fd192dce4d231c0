//! Telling systemd how a service of ours is doing, and taking the sockets it hands over.
//!
//! Everything is a no-op where no systemd listens. What systemd says in the environment of the service is read where it
//! is needed and left there: changing the environment is not safe once there are threads.

#![expect(unsafe_code, reason = "an inherited descriptor is a number until it is taken over")]

use sd_notify::NotifyState;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What a service tells systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// It is up, or up again after `Reloading`.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It is on its way out.
    Stopping,
    /// What it is doing, in one line.
    Status(&'a str),
    /// It is still alive (see `watchdog_interval`).
    Watchdog,
    /// Its main process is this one.
    MainPid(u32),
    /// It needs so much more time to start, reload or stop.
    ExtendTimeout(Duration),
}

/// Tells systemd.
pub fn notify(notice: Notice<'_>) -> io::Result<()> {
    let states = match notice {
        Notice::Ready => vec![NotifyState::Ready],
        // systemd orders reloads by the time they say.
        Notice::Reloading => vec![NotifyState::Reloading, NotifyState::monotonic_usec_now()?],
        Notice::Stopping => vec![NotifyState::Stopping],
        Notice::Status(text) => vec![NotifyState::Status(text)],
        Notice::Watchdog => vec![NotifyState::Watchdog],
        Notice::MainPid(pid) => vec![NotifyState::MainPid(pid)],
        Notice::ExtendTimeout(time) => {
            let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
            vec![NotifyState::ExtendTimeoutUsec(micros)]
        }
    };
    sd_notify::notify(&states)
}

/// How often `Notice::Watchdog` is due (half of what systemd allows); none where nobody waits for it.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// A socket that systemd opened for us.
#[derive(Debug)]
pub struct Inherited {
    /// The name its unit gives it (`FileDescriptorName=`), else the unit's own.
    pub name: String,
    /// The socket.
    pub fd: OwnedFd,
}

/// Takes the sockets that systemd opened for this process; none the second time.
pub fn listen_fds() -> io::Result<Vec<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let named = sd_notify::listen_fds_with_names()?;
    Ok(named
        .map(|(number, name)| {
            // SAFETY: systemd opened it for this process (it names our pid), and it is taken only once.
            Inherited { name, fd: unsafe { OwnedFd::from_raw_fd(number) } }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_systemd_nothing_happens() {
        if std::env::vars().any(|(name, _)| name == "NOTIFY_SOCKET" || name == "LISTEN_FDS") {
            println!("SKIPPED: runs as a service");
            return;
        }
        notify(Notice::Ready).unwrap();
        notify(Notice::Status("x")).unwrap();
        assert!(watchdog_interval().is_none());
        assert!(listen_fds().unwrap().is_empty());
    }
}
