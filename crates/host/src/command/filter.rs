//! A filter that makes one system call look as if the kernel didn't have it.

use std::io;

/// `seccomp(2)`: what a filter answers with an errno in its low 16 bits, and what it lets pass.
const RETURN_ERRNO: u32 = 0x0005_0000;
const RETURN_ALLOW: u32 = 0x7fff_0000;
/// Instructions of classic BPF: load a word, jump when equal, return.
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Where `seccomp_data` has the call's number and the architecture.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// A filter that is ready to be loaded between fork and exec.
#[derive(Debug)]
pub(super) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Answers ENOSYS to this call of the native architecture.
    pub(super) fn without(call: libc::c_long) -> Self {
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let call = u32::try_from(call).unwrap_or(u32::MAX);
        Self(vec![
            step(LOAD, 0, 0, ARCHITECTURE),
            step(JUMP_EQUAL, 0, 3, NATIVE),
            step(LOAD, 0, 0, NUMBER),
            step(JUMP_EQUAL, 0, 1, call),
            step(RETURN, 0, 0, RETURN_ERRNO | libc::ENOSYS.cast_unsigned()),
            step(RETURN, 0, 0, RETURN_ALLOW),
        ])
    }

    /// Loads it into this process, for ever and for all it starts. Needs no privilege, since it gives up gaining any.
    pub(super) fn load(&self) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(self.0.len()).unwrap_or(u16::MAX),
            filter: self.0.as_ptr().cast_mut(),
        };
        // SAFETY: both calls read their arguments only; the program outlives the second, which copies it.
        let loaded = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    == 0
        };
        if loaded { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
