//! Telling systemd how it stands, and being told by nspawn: both sides of sd_notify(3).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::clients::bind_private;

/// The unit's own socket, where there is one.
#[derive(Debug, Default)]
pub(crate) struct Notify(Option<SocketAddrUnix>);

impl Notify {
    /// The socket that `NOTIFY_SOCKET` names; a leading `@` is an abstract name.
    pub(crate) fn new(value: &OsStr) -> Self {
        let bytes = value.as_bytes();
        Self(match bytes.split_first() {
            Some((b'@', name)) => SocketAddrUnix::new_abstract_name(name).ok(),
            Some((b'/', _)) => SocketAddrUnix::new(bytes).ok(),
            _ => None,
        })
    }

    /// Tells systemd how it stands, in a line for people. The text may come from a container: were a line break let through, what
    /// follows it would be an order to systemd.
    pub(crate) fn status(&self, text: &str) {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.send(&format!("STATUS={line}"));
    }

    /// Tells systemd, in words that are Volt's own. It is only told: a failure to tell changes nothing here.
    pub(crate) fn send(&self, state: &str) {
        let Some(address) = &self.0 else { return };
        let kind = SocketType::DGRAM;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None);
        if let Ok(socket) = socket {
            let _ = rustix::net::sendto(&socket, state.as_bytes(), SendFlags::NOSIGNAL, address);
        }
    }
}

/// What a program says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// It is ready.
    pub(crate) ready: bool,
    /// The container's PID 1.
    pub(crate) leader: Option<i32>,
    /// A line for people.
    pub(crate) status: Option<String>,
}

/// A socket on which the program tells, in the run folder: a path, since a name without one could be reached from
/// every container that shares the network namespace.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: OwnedFd,
    path: PathBuf,
}

impl Listener {
    /// A new socket in the folder.
    pub(crate) fn new(run_dir: &Path) -> io::Result<Self> {
        let path = run_dir.join("notify.sock");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        bind_private(&socket, &SocketAddrUnix::new(&path)?)?;
        Ok(Self { socket, path })
    }

    /// What to put into the program's `NOTIFY_SOCKET`.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was said, if something was.
    pub(crate) fn receive(&self) -> Option<Said> {
        let mut bytes = [0; 4096];
        let (length, _) =
            rustix::net::recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT).ok()?;
        Some(parse(&String::from_utf8_lossy(&bytes[..length])))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn parse(text: &str) -> Said {
    let mut said = Said::default();
    for line in text.lines() {
        match line.split_once('=') {
            Some(("READY", "1")) => said.ready = true,
            Some(("X_NSPAWN_LEADER_PID", pid)) => {
                said.leader = pid.parse().ok().filter(|pid| *pid > 1);
            }
            Some(("STATUS", text)) => said.status = Some(text.to_owned()),
            _ => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nspawn_says_is_understood() {
        let said = parse("STATUS=Container running.\nX_NSPAWN_LEADER_PID=4711\nMAINPID=4711");
        let expected =
            Said { ready: false, leader: Some(4711), status: Some("Container running.".into()) };
        assert_eq!(said, expected);
        assert_eq!(parse("READY=1\n"), Said { ready: true, ..Said::default() });
        assert_eq!(parse("X_NSPAWN_LEADER_PID=-1\nREADY=0\nx"), Said::default());
    }

    #[test]
    fn what_is_told_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::new(folder.path()).unwrap();
        Notify::new(listener.path().as_os_str()).send("READY=1\nSTATUS=on");
        let said = listener.receive().unwrap();
        assert_eq!((said.ready, said.status.as_deref()), (true, Some("on")));
        assert_eq!(listener.receive(), None);
        Notify::default().send("READY=1");
        let path = listener.path().to_owned();
        drop(listener);
        assert!(!path.exists());
    }
}
