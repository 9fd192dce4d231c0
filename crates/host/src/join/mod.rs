//! Entering the namespaces and the cgroup of a running process, and executing a program there.
//!
//! Joining is for single-threaded processes only, so it is done by a helper of its own: the caller builds a
//! `JoinRequest` and gives it the words that start the helper; the helper calls `main` with what follows those words.
//! What confines the program is the program's own affair.

#![expect(unsafe_code, reason = "fork, execveat and waiting for signals have no safe wrapper")]

mod enter;
mod parent;
#[cfg(test)]
mod tests;

use crate::command::Command;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// Why a process was not joined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The words are not those of `JoinRequest::command`.
    #[error("wrong use of the join helper: {0}")]
    Usage(&'static str),
    /// The process to be joined has ended.
    #[error("it is not running any more")]
    Gone,
    /// A step failed.
    #[error("cannot {action}")]
    Step {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    fn step(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Step { action, source }
    }
}

/// What to join and what to execute there.
#[derive(Debug)]
pub struct JoinRequest {
    /// The process whose namespaces are entered, as a pidfd.
    pub leader: OwnedFd,
    /// The folder of the cgroup to move into; the leader's own where this one has groups below it.
    pub cgroup: Option<PathBuf>,
    /// The program, opened: its path means nothing inside.
    pub program: OwnedFd,
    /// Its name and arguments.
    pub argv: Vec<OsString>,
    /// Descriptors it gets under the numbers they have here, beside 0, 1 and 2.
    pub keep: Vec<OwnedFd>,
}

impl JoinRequest {
    /// Completes the command that starts the helper; its streams become the program's.
    pub fn command(self, helper: Command) -> Command {
        let number = |fd: &OwnedFd| fd.as_raw_fd().to_string();
        let mut command = helper.args(["--leader", &number(&self.leader)]);
        if let Some(cgroup) = &self.cgroup {
            command = command.arg("--cgroup").arg(cgroup);
        }
        command = command.args(["--program", &number(&self.program)]);
        for fd in self.keep {
            command = command.args(["--keep", &number(&fd)]).inherit(fd);
        }
        command.arg("--").args(&self.argv).inherit(self.leader).inherit(self.program)
    }
}

/// The words of `JoinRequest::command`, read back.
#[derive(Debug)]
struct Orders {
    leader: OwnedFd,
    cgroup: Option<PathBuf>,
    program: OwnedFd,
    argv: Vec<OsString>,
    keep: Vec<RawFd>,
}

/// The helper: joins, executes, and waits. The exit code of the program, 128 + N for a signal.
///
/// `args` are the words after the helper's own. The process must have one thread.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Result<i32, Error> {
    let orders = parse(args)?;
    enter::enter(&orders)?;
    parent::execute_and_wait(&orders)
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Orders, Error> {
    let mut args = args.into_iter();
    let (mut leader, mut program, mut cgroup, mut keep) = (None, None, None, Vec::new());
    loop {
        let word = args.next().ok_or(Error::Usage("no program"))?;
        if word == "--" {
            break;
        }
        let value = args.next().ok_or(Error::Usage("a word without a value"))?;
        let number = || value.to_str().and_then(|n| n.parse::<RawFd>().ok()).filter(|n| *n > 2);
        match word.to_str() {
            Some("--cgroup") => cgroup = Some(PathBuf::from(value)),
            Some("--leader") => leader = number(),
            Some("--program") => program = number(),
            Some("--keep") => keep.extend(number()),
            _ => return Err(Error::Usage("an unknown word")),
        }
    }
    let argv: Vec<OsString> = args.collect();
    let (Some(leader), Some(program), false) = (leader, program, argv.is_empty()) else {
        return Err(Error::Usage("no leader, program or arguments"));
    };
    Ok(Orders { leader: adopt(leader)?, cgroup, program: adopt(program)?, argv, keep })
}

/// Takes over a descriptor that whoever started us left open for us.
fn adopt(number: RawFd) -> Result<OwnedFd, Error> {
    // SAFETY: only asks about the number, and sets the flag that keeps it from the program.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(Error::step("use an inherited descriptor")(io::Error::last_os_error()));
    }
    // SAFETY: it is open, and the words that name it say it is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
