//! Who is at the other end of a socket, and the names of users and groups.

#![expect(unsafe_code, reason = "the peer's groups have no safe wrapper")]

use crate::command::Command;
use crate::files;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// The most that is read of `/etc/passwd` or `/etc/group`, in bytes.
const DATABASE_LIMIT: usize = 8 << 20;

/// Who connected to a socket, as the kernel noted it when they did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Their process. It may have ended since.
    pub pid: u32,
    /// Their effective user.
    pub uid: u32,
    /// Their effective group.
    pub gid: u32,
    /// Their supplementary groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Of a connected Unix socket.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let credentials = rustix::net::sockopt::socket_peercred(&socket)?;
        Ok(Self {
            pid: credentials.pid.as_raw_nonzero().get().cast_unsigned(),
            uid: credentials.uid.as_raw(),
            gid: credentials.gid.as_raw(),
            groups: groups(&socket)?,
        })
    }

    /// This process itself, for calls that go over no socket.
    pub fn myself() -> io::Result<Self> {
        let groups = rustix::process::getgroups()?;
        Ok(Self {
            pid: std::process::id(),
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: groups.into_iter().map(rustix::fs::Gid::as_raw).collect(),
        })
    }

    /// Whether they are in a group, by their effective one or a supplementary one.
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

fn groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0_u32; 64];
    loop {
        let mut size = libc::socklen_t::try_from(size_of_val(groups.as_slice()))
            .map_err(|_| io::Error::other("too many groups"))?;
        // SAFETY: the buffer is as long as `size` says, and both live through the call.
        let done = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        let count = size as usize / size_of::<u32>();
        if done == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // The kernel said how many there are.
            Some(libc::ERANGE) if count > groups.len() => groups.resize(count, 0),
            // It holds none.
            Some(libc::ENODATA) => return Ok(Vec::new()),
            _ => return Err(error),
        }
    }
}

/// The name of a user; none where the host knows none.
pub fn user_name(uid: u32) -> Option<String> {
    lookup(Path::new("/etc/passwd"), |line| {
        (field_number(line, 2) == Some(uid)).then(|| first(line))
    })
    .or_else(|| getent("passwd", &uid.to_string()).map(|line| first(&line)))
}

/// The name of a group; none where the host knows none.
pub fn group_name(gid: u32) -> Option<String> {
    lookup(Path::new("/etc/group"), |line| {
        (field_number(line, 2) == Some(gid)).then(|| first(line))
    })
    .or_else(|| getent("group", &gid.to_string()).map(|line| first(&line)))
}

/// The id of a user; none where the host knows none of this name.
pub fn user_id(name: &str) -> Option<u32> {
    lookup(Path::new("/etc/passwd"), |line| (first(line) == name).then(|| field_number(line, 2))?)
        .or_else(|| getent("passwd", name).and_then(|line| field_number(&line, 2)))
}

/// The id of a group; none where the host knows none of this name.
pub fn group_id(name: &str) -> Option<u32> {
    lookup(Path::new("/etc/group"), |line| (first(line) == name).then(|| field_number(line, 2))?)
        .or_else(|| getent("group", name).and_then(|line| field_number(&line, 2)))
}

fn lookup<T>(path: &Path, found: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = files::read_bounded(path, DATABASE_LIMIT).ok()?;
    String::from_utf8_lossy(&text).lines().find_map(found)
}

/// Asks all of the host's sources (LDAP, homed, …), which the file does not show.
fn getent(database: &str, key: &str) -> Option<String> {
    let asked = Command::new("getent").args([database, "--", key]).output().ok()?;
    asked.text().lines().next().map(str::to_owned)
}

fn first(line: &str) -> String {
    line.split(':').next().unwrap_or_default().to_owned()
}

fn field_number(line: &str, index: usize) -> Option<u32> {
    line.split(':').nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_other_end_of_a_pair_is_us() {
        let (one, _other) = UnixStream::pair().unwrap();
        let (peer, myself) = (Peer::of(&one).unwrap(), Peer::myself().unwrap());
        assert_eq!((peer.pid, peer.uid, peer.gid), (myself.pid, myself.uid, myself.gid));
        assert!(peer.is_in(myself.gid) && !peer.is_in(4_000_000));
    }

    #[test]
    fn names_and_ids() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!((user_id("root"), group_id("root")), (Some(0), Some(0)));
        assert_eq!(group_name(0).as_deref(), Some("root"));
        assert_eq!((user_name(3_999_999), user_id("no-such-user")), (None, None));
        assert_eq!(field_number("a:x:7:", 2), Some(7));
    }
}
