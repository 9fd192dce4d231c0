//! User namespaces that serve only as maps of ids, and giving a mount such a map.

use super::{Context, MountAttributes, Result, UserNamespace as Namespace};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The id that stands for the host's root beside a container's range. nspawn uses the same.
const HOST_ROOT: u32 = 2_147_483_646;

/// Which ids on disk are which ids in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdMap {
    /// The first id in memory: what is 0 on disk.
    pub base: u32,
    /// How many ids follow.
    pub count: u32,
}

impl IdMap {
    /// The range of 65536 ids from a base.
    pub fn of(base: u32) -> Self {
        Self { base, count: 65536 }
    }

    /// The map as the kernel reads it. Its second line lets the host's root write through the mount, without which
    /// overlayfs silently comes up read-only.
    fn lines(self) -> String {
        format!("0 {} {}\n{HOST_ROOT} 0 1\n", self.base, self.count)
    }
}

/// A user namespace without processes, kept for its map.
#[derive(Debug)]
pub struct UserNamespace {
    fd: OwnedFd,
}

impl UserNamespace {
    /// Makes one with this map for users and groups.
    pub fn new(map: IdMap) -> Result<Self> {
        let here = Path::new("/proc/self/ns/user");
        let make = || -> io::Result<OwnedFd> {
            let holder = Holder::start()?;
            let folder = Path::new("/proc").join(holder.pid.to_string());
            fs::write(folder.join("uid_map"), map.lines())?;
            fs::write(folder.join("gid_map"), map.lines())?;
            Ok(File::open(folder.join("ns/user"))?.into())
        };
        make().map(|fd| Self { fd }).on("make a user namespace beside", here)
    }
}

impl AsFd for UserNamespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A child that does nothing but be in a user namespace until somebody else holds it.
struct Holder {
    pid: i32,
}

impl Holder {
    fn start() -> io::Result<Self> {
        let none = std::ptr::null_mut::<libc::c_void>();
        let parent = rustix::process::getpid().as_raw_nonzero().get();
        // SAFETY: a plain fork into a new user namespace with a copy of our memory (no stack is given, no CLONE_VM).
        // The low byte of the flags is the signal at its end: none, so that no reaper of ours is woken.
        let pid =
            unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER, none, none, none, none) };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => wait_to_be_killed(parent),
            pid => Ok(Self { pid: i32::try_from(pid).expect("the kernel's pids fit") }),
        }
    }
}

/// What the child does: plain system calls only, since other threads of the parent may have held any lock.
fn wait_to_be_killed(parent: i32) -> ! {
    // SAFETY: none of these calls takes memory of ours. Were the parent gone before the first, nobody would ever kill us.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            libc::_exit(0);
        }
        loop {
            libc::pause();
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: the pid is that of our own unreaped child. __WALL because it sends no signal at its end.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, &raw mut status, libc::__WALL);
        }
    }
}

/// Sets attributes, and the map where given, of a mount that is attached nowhere.
pub(super) fn set_attributes(
    mount: BorrowedFd<'_>,
    map: Option<&Namespace>,
    attributes: MountAttributes,
) -> io::Result<()> {
    // SAFETY: all zero is a valid value: change nothing.
    let mut wanted: libc::mount_attr = unsafe { std::mem::zeroed() };
    wanted.attr_set = u64::from(attributes.bits());
    // A clone of a shared mount (and systemd shares all of a machine's) is its peer: what is mounted beneath the one
    // appears beneath the other, map and all, and the next clone can then be given no map of its own.
    wanted.propagation = libc::MS_PRIVATE;
    if let Some(map) = map {
        wanted.attr_set |= libc::MOUNT_ATTR_IDMAP;
        wanted.userns_fd = u64::from(map.as_fd().as_raw_fd().cast_unsigned());
    }
    // SAFETY: the path is a NUL-terminated literal, the structure lives through the call and its size is given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
