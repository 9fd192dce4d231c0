//! Becoming a daemon: a process without parent, terminal or borrowed descriptors.

use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Which side of `daemonize` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The caller; the daemon has this pid.
    Caller(u32),
    /// The daemon.
    Daemon,
}

/// Whether this process has only the calling thread.
pub fn is_single_threaded() -> io::Result<bool> {
    Ok(fs::read_dir("/proc/self/task")?.count() == 1)
}

/// Splits off a daemon: a session of its own, a child of nobody here, `/` as its folder, `output` as stdout and stderr,
/// `/dev/null` as stdin, and no other descriptor but those to keep. So the caller must own none that it would drop later.
///
/// Refused (`Unsupported`) once there are threads: after a fork only the calling one goes on, and what the others held
/// stays locked for ever.
pub fn daemonize(output: OwnedFd, keep: &[BorrowedFd<'_>]) -> io::Result<Forked> {
    if !is_single_threaded()? {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "there are threads already"));
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    // SAFETY: there is only this thread, so the child has a whole and consistent process.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(reader);
            become_session_leader();
            // SAFETY: as above. The second fork leaves a process that can never get a controlling terminal.
            match unsafe { libc::fork() } {
                0 => {}
                // SAFETY: ends the middle process without running the caller's exit handlers a second time.
                other => unsafe { libc::_exit(i32::from(other == -1)) },
            }
            settle(output, keep, writer).map(|()| Forked::Daemon)
        }
        middle => {
            drop(writer);
            let mut status = 0;
            // SAFETY: the pid is that of our own child.
            unsafe { libc::waitpid(middle, &raw mut status, 0) };
            let mut pid = String::new();
            File::from(reader).read_to_string(&mut pid)?;
            let pid = pid.parse().map_err(|_| io::Error::other("the daemon did not come up"))?;
            Ok(Forked::Caller(pid))
        }
    }
}

fn become_session_leader() {
    if let Err(error) = rustix::process::setsid() {
        // Only a process group leader is refused, and a forked child is none.
        tracing::debug!(%error, "no session of its own");
    }
}

fn settle(output: OwnedFd, keep: &[BorrowedFd<'_>], writer: OwnedFd) -> io::Result<()> {
    rustix::process::chdir("/")?;
    let null = File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&output)?;
    rustix::stdio::dup2_stderr(&output)?;
    let mut writer = File::from(writer);
    write!(writer, "{}", std::process::id())?;
    drop((writer, null, output));
    let keep: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    close_others(&keep)
}

/// Closes all descriptors above 2 but these.
fn close_others(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> =
        keep.iter().map(|fd| fd.cast_unsigned()).filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep.into_iter().chain([u32::MAX]) {
        if fd > from {
            close_range(from, fd - 1)?;
        }
        from = fd.saturating_add(1);
    }
    Ok(())
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: the daemon owns nothing that is behind these descriptors; its caller keeps what both need. Values of the
    // caller that still wrap one of them are never dropped here, or close a number that is not open (EBADF, ignored).
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
