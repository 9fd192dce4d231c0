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

/// The stack of a holder, in machine words: it calls two functions of the C library.
const STACK: usize = 2048;

/// A child that does nothing but be in a user namespace until somebody else holds it. It shares our memory, whose page tables
/// would else be copied for it.
struct Holder {
    pid: i32,
    /// Freed when the child is gone.
    _stack: Box<[u128]>,
}

impl Holder {
    fn start() -> io::Result<Self> {
        let mut stack = vec![0_u128; STACK].into_boxed_slice();
        let top = stack.as_mut_ptr_range().end;
        let parent = rustix::process::getpid().as_raw_nonzero().get();
        let flags = libc::CLONE_NEWUSER | libc::CLONE_VM;
        let pid = without_signals(|| {
            let parent = std::ptr::without_provenance_mut(parent.cast_unsigned() as usize);
            // SAFETY: the stack grows down from its end, is aligned, and outlives the child. The low byte of the flags is the
            // signal at its end: none, so that no reaper of ours is woken.
            let pid = unsafe { libc::clone(wait_to_be_killed, top.cast(), flags, parent) };
            if pid == -1 { Err(io::Error::last_os_error()) } else { Ok(pid) }
        })?;
        Ok(Self { pid, _stack: stack })
    }
}

/// Does something with all signals blocked, so that a child which shares our memory runs no handler of ours.
fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are filled in before they are read, and the mask is this thread's own, put back as it was.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let done = work();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        done
    }
}

/// What the child does, on a stack of its own and with the thread-local memory of whoever made it: calls that touch none of it.
extern "C" fn wait_to_be_killed(parent: *mut libc::c_void) -> libc::c_int {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: none of these calls takes memory of ours. Were the parent gone before the first, nobody would ever kill us.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid().cast_unsigned() as usize != parent.addr() {
            libc::_exit(0);
        }
        loop {
            // Not `pause`, which is a point of cancellation and looks at the thread.
            libc::syscall(libc::SYS_ppoll, none, 0, none, none, 0);
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
