//! The command's terminal or pipes: made here, handed to the other side of the control socket.
//!
//! Pipes belong to the command's user, so that `echo x > /dev/stdout` works for it. A terminal comes from the
//! container's own devpts, so that `tty` finds its name.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;

use crate::Failure;
use crate::control::Control;
use crate::passwd::Account;
use crate::spec::Spec;

/// The group that owns terminals nearly everywhere.
const TTY_GROUP: u32 = 5;

/// What the command's three standard descriptors will be.
#[derive(Debug)]
pub struct Stdio {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
    /// They are one terminal, to be made the controlling one.
    pub tty: bool,
}

/// Makes what the spec asks for and sends the other ends away.
///
/// # Errors
///
/// The container has no devpts, or the kernel refuses a pipe.
pub fn make(spec: &Spec, account: &Account, control: &mut Control) -> Result<Stdio, Failure> {
    if spec.tty { terminal(account, control) } else { pipes(spec, account, control) }
}

fn terminal(account: &Account, control: &mut Control) -> Result<Stdio, Failure> {
    let failed = |error| Failure::internal("cannot make a terminal", error);
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = rustix::fs::open("/dev/ptmx", flags, Mode::empty()).map_err(failed)?;
    rustix::pty::unlockpt(&master).map_err(failed)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).map_err(failed)?;
    rustix::fs::fchmod(&slave, Mode::from_raw_mode(0o620)).map_err(failed)?;
    // Some devpts mounts allow no group; then the mount's own group has to do.
    let owner = Some(Uid::from_raw(account.uid));
    if rustix::fs::fchown(&slave, owner, Some(Gid::from_raw(TTY_GROUP))).is_err() {
        rustix::fs::fchown(&slave, owner, None).map_err(failed)?;
    }
    control.send("tty", &[master.as_fd()]);
    let again = |fd: &OwnedFd| fd.try_clone().map_err(|e| Failure::internal("terminal", e));
    Ok(Stdio { stdin: again(&slave)?, stdout: again(&slave)?, stderr: slave, tty: true })
}

fn pipes(spec: &Spec, account: &Account, control: &mut Control) -> Result<Stdio, Failure> {
    let failed = |error| Failure::internal("cannot make a pipe", error);
    let make = || -> Result<(OwnedFd, OwnedFd), Failure> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        rustix::fs::fchown(&read, Some(uid), Some(gid)).map_err(failed)?;
        Ok((read, write))
    };
    let (stdout, stdout_end) = make()?;
    let (stderr, stderr_end) = make()?;
    let stdin_end = if spec.stdin {
        let (read, write) = make()?;
        control.send("io", &[write.as_fd(), stdout.as_fd(), stderr.as_fd()]);
        read
    } else {
        control.send("io", &[stdout.as_fd(), stderr.as_fd()]);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::open("/dev/null", flags, Mode::empty())
            .map_err(|error| Failure::internal("cannot open /dev/null", error))?
    };
    Ok(Stdio { stdin: stdin_end, stdout: stdout_end, stderr: stderr_end, tty: false })
}
