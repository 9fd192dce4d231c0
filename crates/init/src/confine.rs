//! Confinement: capabilities, no_new_privs, the seccomp filter, resource limits. The one place that confines, for a
//! container's command and for what `exec` brings in alike.
#![expect(unsafe_code, reason = "seccomp has no safe wrapper that takes ready-made instructions")]

use std::io;

use rustix::process::DumpableBehavior;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::spec::{Instruction, Rlimit};

/// The highest capability number a mask can hold.
const LAST_CAPABILITY: u32 = 63;

/// Takes everything but `keep` out of the bounding set of this process, and empties the ambient set.
///
/// # Errors
///
/// The process lacks CAP_SETPCAP and something would have to go.
pub fn bound_capabilities(keep: u64) -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    for number in 0..=LAST_CAPABILITY {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if keep & one.bits() != 0 {
            continue;
        }
        match rustix::thread::capability_is_in_bounding_set(one) {
            Ok(true) => rustix::thread::remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The kernel knows no capability of this number, nor any above.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Limits the permitted and effective capabilities of this process to `keep`; nothing is inheritable afterwards.
///
/// # Errors
///
/// The kernel refuses; taking away is always allowed.
pub fn limit_capabilities(keep: u64) -> io::Result<()> {
    let now = rustix::thread::capabilities(None)?;
    let left = now.permitted & CapabilitySet::from_bits_retain(keep);
    let sets =
        CapabilitySets { effective: left, permitted: left, inheritable: CapabilitySet::empty() };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Set-user-id programs and file capabilities have no effect from here on.
///
/// # Errors
///
/// The kernel is older than 3.5.
pub fn no_new_privs() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Nobody without privileges over this process may look into it or trace it.
pub fn not_dumpable() {
    // Cannot fail with this value; and if it did, ptrace's other rules still hold.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Sets a resource limit of this process.
///
/// # Errors
///
/// The hard limit is above what this process may raise it to.
pub fn limit_resource(limit: Rlimit) -> io::Result<()> {
    let raw = libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard };
    // SAFETY: `raw` is a valid rlimit that outlives the call.
    let result = unsafe { libc::setrlimit(limit.resource, &raw) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Installs seccomp filters for this process and all it will execute. Needs no_new_privs or CAP_SYS_ADMIN.
///
/// # Errors
///
/// The kernel does not accept a filter.
pub fn filter_calls(filters: &[Vec<Instruction>]) -> io::Result<()> {
    filters.iter().try_for_each(|filter| install(filter))
}

fn install(filter: &[Instruction]) -> io::Result<()> {
    let mut raw: Vec<libc::sock_filter> = filter
        .iter()
        .map(|one| libc::sock_filter { code: one.code, jt: one.jt, jf: one.jf, k: one.k })
        .collect();
    let length = u16::try_from(raw.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len: length, filter: raw.as_mut_ptr() };
    // SAFETY: `program` points at `length` instructions that live until after the call; the kernel copies them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0_u64,
            std::ptr::from_ref(&program),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
