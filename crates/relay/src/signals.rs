//! The relay's own signals, blocked and read one by one from a descriptor in the poll loop.
#![expect(unsafe_code, reason = "signalfd and the signal mask have no safe wrapper")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;

/// The signals that arrive here.
const TAKEN: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// A descriptor to read signals from.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP for this process from here on. Programs it starts begin with none blocked.
    pub(crate) fn block() -> io::Result<Self> {
        // SAFETY: the set is initialised by sigemptyset before it is read; the returned descriptor is new and ours.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&mut set);
            for number in TAKEN {
                libc::sigaddset(&mut set, number);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(Self(OwnedFd::from_raw_fd(fd)))
            }
        }
    }

    /// The number of the next signal, if one has come.
    pub(crate) fn next(&self) -> Option<i32> {
        let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
        let length = rustix::io::read(&self.0, &mut info).ok()?;
        // The number is the first field, a u32.
        let number = info.first_chunk::<4>().filter(|_| length == info.len())?;
        i32::try_from(u32::from_ne_bytes(*number)).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends any signal, real-time ones too, to a process or (negative) a process group of the workload.
pub(crate) fn send(target: i32, number: i32) {
    // SAFETY: sends a signal and touches no memory. Refusals and targets that are gone need no answer.
    unsafe { libc::kill(target, number) };
}
