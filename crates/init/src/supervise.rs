//! While the command runs: signals go to it, orphans are reaped, requests are obeyed, and its end is noticed.
#![expect(unsafe_code, reason = "signalfd and waitpid")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, FromRawFd as _, OwnedFd};
use std::ptr;

use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;

use crate::control::{Control, Received, Request};
use crate::spec::Spec;

/// SIGRTMIN+3 and +4 as systemd numbers them: what asks a system to halt and to power off. machined sends the latter to the first
/// process of a machine, whatever that is.
const POWER_OFF: [i32; 2] = [37, 38];

/// What is passed on to the command; SIGTERM as its stop signal.
const FORWARDED: [i32; 7] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exited(u8),
    /// By this signal.
    Signaled(i32),
}

impl Ending {
    /// As a shell gives it in `$?`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(number) => 128_u8.saturating_add(u8::try_from(number).unwrap_or(127)),
        }
    }

    fn of(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signaled(libc::WTERMSIG(status))
        } else {
            Self::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
        }
    }
}

/// All signals, blocked and read one by one: none gets lost between the first instruction and the command's start.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// Blocks every signal of this process from here on.
    ///
    /// # Errors
    ///
    /// There is no descriptor to be had.
    pub fn block() -> io::Result<Self> {
        // SAFETY: the sets are initialised before they are read; the descriptor that is returned is new and ours.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::sigprocmask(libc::SIG_SETMASK, &all, ptr::null_mut());
            let mut read = std::mem::zeroed();
            libc::sigemptyset(&mut read);
            for number in FORWARDED.into_iter().chain(POWER_OFF).chain([libc::SIGCHLD]) {
                libc::sigaddset(&mut read, number);
            }
            let fd = libc::signalfd(-1, &read, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(Self(OwnedFd::from_raw_fd(fd)))
            }
        }
    }

    /// The number of the next signal, if one has come.
    fn next(&self) -> Option<i32> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut raw = MaybeUninit::<[u8; SIZE]>::uninit();
        // SAFETY: bytes of any value are initialised bytes once zeroed.
        let buffer = unsafe {
            raw.as_mut_ptr().write_bytes(0, 1);
            raw.assume_init_mut()
        };
        let length = rustix::io::read(&self.0, &mut buffer[..]).ok()?;
        // The number is the first field, a u32.
        let number = buffer.first_chunk::<4>().filter(|_| length == SIZE)?;
        i32::try_from(u32::from_ne_bytes(*number)).ok()
    }
}

/// Waits for `go`.
///
/// # Errors
///
/// The code to exit with: a signal that ends a process came first, or the other side went away.
pub fn hold(signals: &Signals, control: &mut Control) -> Result<(), u8> {
    loop {
        match control.receive() {
            Received::Request(Request::Go) => return Ok(()),
            Received::Closed => return Err(crate::INTERNAL),
            Received::Request(Request::Signal(number) | Request::Kill(number)) => {
                return Err(Ending::Signaled(number).code());
            }
            Received::Nothing => {}
        }
        while let Some(number) = signals.next() {
            if !matches!(number, libc::SIGCHLD | libc::SIGWINCH) {
                return Err(Ending::Signaled(number).code());
            }
        }
        wait(signals, control);
    }
}

/// Looks after the command until it ends.
pub fn supervise(child: Pid, spec: &Spec, signals: &Signals, control: &mut Control) -> Ending {
    loop {
        if let Some(ending) = reap(child) {
            return ending;
        }
        while let Some(number) = signals.next() {
            match number {
                libc::SIGCHLD => {}
                libc::SIGTERM => send(child, spec.stop_signal),
                number if POWER_OFF.contains(&number) => send(child, spec.stop_signal),
                other => send(child, other),
            }
        }
        match control.receive() {
            Received::Request(Request::Signal(number)) => send_group(child, number),
            Received::Request(Request::Kill(number)) => send(child, number),
            // With the relay the one is gone who would end it.
            Received::Closed if spec.traced => send(child, libc::SIGKILL),
            _ => {}
        }
        if let Some(ending) = reap(child) {
            return ending;
        }
        wait(signals, control);
    }
}

/// Sleeps until a signal or a message comes.
fn wait(signals: &Signals, control: &Control) {
    let signal = PollFd::from_borrowed_fd(signals.0.as_fd(), PollFlags::IN);
    // Interrupted or not: the caller looks at everything again.
    let _ = match control.poll_fd() {
        Some(socket) => rustix::event::poll(
            &mut [signal, PollFd::from_borrowed_fd(socket, PollFlags::IN)],
            None,
        ),
        None => rustix::event::poll(&mut [signal], None),
    };
}

/// Reaps the child of a command that was not executed.
pub fn reap_failed() {
    // SAFETY: waits for any child without touching memory.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// Makes this process the parent of whatever its descendants leave behind.
///
/// # Errors
///
/// The kernel is older than 3.4.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Kills what the command has left behind, and what that leaves behind, until nothing is left.
pub fn end_orphans() {
    let own = std::process::id();
    let list = format!("/proc/{own}/task/{own}/children");
    loop {
        let pids = std::fs::read_to_string(&list).unwrap_or_default();
        for pid in
            pids.split_ascii_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?))
        {
            send(pid, libc::SIGKILL);
        }
        // SAFETY: waits for any child without touching memory.
        if unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } <= 0 {
            return;
        }
    }
}

/// Reaps whatever has ended; says so when the command is among it.
fn reap(child: Pid) -> Option<Ending> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the status.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
        if pid <= 0 {
            return None;
        }
        if pid == child.as_raw_nonzero().get() {
            return Some(Ending::of(status));
        }
    }
}

fn send(child: Pid, number: i32) {
    // SAFETY: sends a signal, and to a child that is not reaped yet, so to nobody else.
    unsafe { libc::kill(child.as_raw_nonzero().get(), number) };
}

fn send_group(child: Pid, number: i32) {
    // The command made its own session before it was executed, so its number is that of its group.
    // SAFETY: as in `send`; the group exists as long as its leader is not reaped.
    unsafe { libc::kill(-child.as_raw_nonzero().get(), number) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_has_the_code_of_a_shell() {
        assert_eq!(Ending::of(3 << 8).code(), 3);
        assert_eq!(Ending::of(255 << 8).code(), 255);
        assert_eq!(Ending::of(15), Ending::Signaled(15));
        assert_eq!(Ending::of(9).code(), 137);
        // A core dump sets another bit.
        assert_eq!(Ending::of(11 | 0x80).code(), 139);
    }
}
