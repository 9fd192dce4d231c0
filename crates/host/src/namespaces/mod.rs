//! Network namespaces that have a name: a file on which the namespace is mounted, as `ip netns` keeps them.
//!
//! A namespace belongs to threads, so each piece of work inside one is done on a thread of its own, which ends with it.

#![expect(unsafe_code, reason = "unsharing a thread and the interface ioctl have no safe wrapper")]

#[cfg(test)]
mod tests;

use crate::files::{self, Context, Error, Result};
use crate::mounts::{self, Unmount};
use rustix::fs::{CWD, Mode, OFlags, openat, statfs};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{
    ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces, unshare_unsafe,
};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where `ip netns` looks for names.
pub const NETNS_DIR: &str = "/run/netns";

/// What statfs says of the file system that namespaces are files of.
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// A network namespace that has a name.
#[derive(Debug)]
pub struct NetNs {
    fd: OwnedFd,
    path: PathBuf,
}

/// What is set inside a new namespace. A payload without rights over it cannot do so itself.
const SYSCTLS: &[(&str, &str)] = &[
    // Else nobody inside could listen on a port below 1024.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    // Else nobody inside could ping.
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

impl NetNs {
    /// Makes a namespace of this name, its loopback up; `AlreadyExists` where there is one.
    ///
    /// What a killed process left of a name (a file without a namespace) is taken over.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(dir) = path.parent() {
            crate::files::create_dirs(dir, 0o755)?;
        }
        if is_netns(path)? {
            return Err(Error::new("create", path, io::ErrorKind::AlreadyExists));
        }
        File::create(path).on("create", path)?;
        let made = on_thread(|| {
            // SAFETY: concerns this thread only, which ends with this closure.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
            set_up()?;
            let own = Path::new("/proc/thread-self/ns/net");
            mounts::bind(own, path, None, mounts::MountAttributes::empty())
                .map_err(|error| error.source)
        });
        let opened = made.on("create", path).and_then(|()| Self::open(path));
        opened.inspect_err(|_| {
            if let Err(error) = remove(path) {
                tracing::warn!(%error, "a name without a network namespace remains");
            }
        })
    }

    /// Opens the namespace of this name; `NotFound` where there is none.
    pub fn open(path: &Path) -> Result<Self> {
        if !is_netns(path)? {
            return Err(Error::new("open", path, io::ErrorKind::NotFound));
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).on("open", path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets what has this path below `/proc/sys`, for this namespace alone.
    pub fn set(&self, setting: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(setting);
        self.run(|| std::fs::write(&path, value))
            .map_err(|error| Error::new("set", &path, error.source))
    }

    /// Does work inside, on a thread of its own.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> Result<T> {
        on_thread(|| {
            move_into_thread_name_spaces(self.fd.as_fd(), ThreadNameSpaceType::NETWORK)?;
            work()
        })
        .on("work in", &self.path)
    }
}

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Takes a name away. The namespace lives on while a process is in it. False where there was none.
pub fn remove(path: &Path) -> Result<bool> {
    mounts::unmount_all(path, Unmount::Lazy)
        .map_err(|error| Error::new("remove", path, error.source))?;
    files::remove_file(path)
}

/// The names in a folder, sorted, also those without a namespace behind them.
pub fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.on("read", dir)?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.on("read", dir)?;
    paths.sort();
    Ok(paths)
}

/// Whether a namespace is behind a name.
pub fn is_netns(path: &Path) -> Result<bool> {
    match statfs(path) {
        Ok(stat) => Ok(stat.f_type == NSFS_MAGIC),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(Error::new("look at", path, error)),
    }
}

/// Does work in the network of the host, that is of PID 1, wherever this process is: the main process of a container's unit is in the
/// container's.
pub fn in_network_of_host<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let host = Path::new("/proc/1/ns/net");
    let own = fs::read_link("/proc/thread-self/ns/net").ok();
    // Who may not look at PID 1 may not enter its namespaces either.
    if own.is_none() || fs::read_link(host).map_or(true, |host| own == Some(host)) {
        return Ok(work());
    }
    let fd = openat(CWD, host, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).on("open", host)?;
    on_thread(|| {
        move_into_thread_name_spaces(fd.as_fd(), ThreadNameSpaceType::NETWORK)?;
        Ok(work())
    })
    .on("work in", host)
}

fn on_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, work)?;
        worker.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}

fn set_up() -> io::Result<()> {
    loopback_up()?;
    for (key, value) in SYSCTLS {
        fs::write(Path::new("/proc/sys").join(key), value)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot set {key}: {error}")))?;
    }
    Ok(())
}

fn loopback_up() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zero is a valid value: no name, no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    let up = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = up.try_into().expect("both are among the low 15 bits");
    // SAFETY: the structure is the one this call reads and lives through it.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
