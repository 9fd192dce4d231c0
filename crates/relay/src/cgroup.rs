//! Leaving the unit's own cgroup to controllers: a cgroup that hands controllers on may hold no process itself.

use std::io;
use std::path::{Path, PathBuf};

use volt_host::cgroup::Cgroup;

/// Where all of a workload is, below its unit's cgroup.
const PAYLOAD: &str = "payload";
/// Where what looks after it is.
const SUPERVISOR: &str = "supervisor";

/// Moves this process to `supervisor/` below the unit's cgroup, where systemd has delegated that to it.
///
/// To be called right after nspawn was started: nspawn (252) makes its own two cgroups below the one it is started in
/// and would put them below `supervisor/`.
pub(crate) fn move_to_supervisor() -> io::Result<()> {
    move_to(SUPERVISOR)
}

/// Moves this process to `payload/`, for a program to be started there that makes no cgroups itself.
pub(crate) fn move_to_payload() -> io::Result<()> {
    move_to(PAYLOAD)
}

fn move_to(group: &str) -> io::Result<()> {
    let Some(own) = own()? else { return Ok(()) };
    let unit = match own.parent() {
        Some(unit) if own.ends_with(PAYLOAD) => unit,
        _ => &own,
    };
    if own.ends_with(SUPERVISOR) || !is_delegated(unit) {
        return Ok(());
    }
    let group = unit.join(group);
    match std::fs::create_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::write(group.join("cgroup.procs"), "0")
}

/// Lets go of a workload that is held still, which would not see that it is asked to end.
pub(crate) fn thaw_payload() -> io::Result<()> {
    let Some(own) = own()?.filter(|own| own.ends_with(SUPERVISOR)) else { return Ok(()) };
    let payload = own.with_file_name(PAYLOAD);
    if !payload.exists() {
        return Ok(());
    }
    Cgroup::at(payload).thaw().map_err(io::Error::other)
}

/// Has the kernel kill others before this process and the program that it runs, when the workload is over its memory limit: they are in
/// the same group, and have to tell of it.
pub(crate) fn spare_supervisors(program: u32) {
    for pid in [std::process::id(), program] {
        // Where it may not be, they are among those that may be killed.
        drop(std::fs::write(format!("/proc/{pid}/oom_score_adj"), "-900"));
    }
}

/// systemd marks what it has delegated.
fn is_delegated(cgroup: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0_u8; 4];
        let length = rustix::fs::getxattr(cgroup, *name, &mut value[..]).unwrap_or(0);
        &value[..length] == b"1"
    })
}

/// The folder of this process's cgroup in the v2 tree, where there is one.
fn own() -> io::Result<Option<PathBuf>> {
    let Some(path) = volt_host::process::cgroup(std::process::id())? else { return Ok(None) };
    Ok(Cgroup::of_unit(&path.to_string_lossy()).ok().map(|group| group.path().to_owned()))
}
