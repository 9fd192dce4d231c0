//! Becoming a process like the leader: its cgroup, its namespaces, its root folder.

use super::{Error, Orders};
use crate::cgroup::{self, Cgroup};
use crate::process::{self, Pidfd};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

const NAMESPACES: &[(&str, ThreadNameSpaceType)] = &[
    ("user", ThreadNameSpaceType::USER),
    ("mnt", ThreadNameSpaceType::MOUNT),
    ("pid", ThreadNameSpaceType::PROCESS_ID),
    ("net", ThreadNameSpaceType::NETWORK),
    ("uts", ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME),
    ("ipc", ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION),
    ("cgroup", ThreadNameSpaceType::CONTROL_GROUP),
];

pub(super) fn enter(orders: &Orders) -> Result<(), Error> {
    let leader = Pidfd::from(orders.leader.try_clone().map_err(Error::step("hold the process"))?);
    let pid = leader.pid().map_err(|_| Error::Gone)?;
    // All that needs the host's view of the world comes before the join.
    let different = differing(pid)?;
    let root = open_root(pid)?;
    if let Some(path) = &orders.cgroup {
        join_cgroup(&Cgroup::at(path), pid)?;
    }
    // The pid named the leader all the time only if the leader is still there.
    if !leader.exists() {
        return Err(Error::Gone);
    }
    move_into_thread_name_spaces(leader.as_fd(), different)
        .map_err(|error| Error::step("join its namespaces")(error.into()))?;
    if different.contains(ThreadNameSpaceType::USER) {
        become_root_inside().map_err(Error::step("become root in its user namespace"))?;
    }
    stand_in(&root).map_err(Error::step("enter its root folder"))
}

/// The namespaces of the process that are not ours; joining one's own user namespace is an error.
fn differing(pid: u32) -> Result<ThreadNameSpaceType, Error> {
    let mut different = ThreadNameSpaceType::empty();
    for (name, kind) in NAMESPACES {
        let inode =
            |who: &str| fs::metadata(format!("/proc/{who}/ns/{name}")).map(|data| data.ino());
        let theirs = inode(&pid.to_string()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Gone,
            _ => Error::step("look at its namespaces")(error),
        })?;
        let ours = inode("self").map_err(Error::step("look at our namespaces"))?;
        if theirs != ours {
            different |= *kind;
        }
    }
    Ok(different)
}

fn open_root(pid: u32) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty())
        .map_err(|error| Error::step("open its root folder")(error.into()))
}

fn join_cgroup(group: &Cgroup, leader: u32) -> Result<(), Error> {
    let step = Error::step("join its cgroup");
    let joined = match group.add_process(0) {
        // A systemd inside has divided it: processes can only be in the leaves.
        Err(error) if error.source.kind() == io::ErrorKind::ResourceBusy => {
            let own = process::cgroup(leader).map_err(&step)?.unwrap_or_default();
            let own = own.strip_prefix("/").unwrap_or(&own).to_owned();
            let root = cgroup::root().map_err(|error| step(error.source))?;
            Cgroup::at(root.join(own)).add_process(0)
        }
        other => other,
    };
    joined.map_err(|error| step(error.source))
}

/// Until then our ids have no name there.
fn become_root_inside() -> io::Result<()> {
    // SAFETY: plain system calls on this, the only, thread; the list of groups is empty.
    let results = unsafe {
        [libc::setgroups(0, std::ptr::null()), libc::setresgid(0, 0, 0), libc::setresuid(0, 0, 0)]
    };
    // A namespace that an ordinary user made has no right to drop groups.
    let [_, gid, uid] = results;
    if gid == 0 && uid == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn stand_in(root: &OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::chroot(".")?;
    Ok(rustix::process::chdir("/")?)
}
