//! A host's own part of the cgroup v2 tree: `volt-xtask/NAME/host`, which is the root of the
//! host's cgroup namespace, and `volt-xtask/NAME/keeper`, where the processes outside of it are.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::paths;
use crate::run::{Context, Result, fail};

/// Where the unified tree is mounted; mounts it where it is not.
fn mounted() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context(|| "/proc/self/mounts".into())?;
    let found = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    });
    if let Some(place) = found {
        return Ok(place);
    }
    let place = paths::runtime().join("cgroup");
    fs::create_dir_all(&place).context(|| place.display().to_string())?;
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("cgroup2", &place, "cgroup2", flags, None)
        .context(|| format!("mounting cgroup2 on {}", place.display()))?;
    Ok(place)
}

/// The name of the folder that all hosts' cgroups are in.
fn folder_name() -> String {
    format!("volt-xtask{}", paths::tag())
}

/// Makes a host's two cgroups and returns the folder above them.
pub(crate) fn make(name: &str) -> Result<PathBuf> {
    let folder = mounted()?.join(folder_name()).join(name);
    for part in ["host", "keeper"] {
        let path = folder.join(part);
        // Once more, since the last of the other hosts may take the folder of all away meanwhile.
        let made = fs::create_dir_all(&path).or_else(|_| fs::create_dir_all(&path));
        made.context(|| path.display().to_string())?;
    }
    Ok(folder)
}

/// Moves a process into a cgroup; 0 is the caller.
pub(crate) fn enter(cgroup: &Path, pid: i32) -> Result<()> {
    let procs = cgroup.join("cgroup.procs");
    fs::write(&procs, pid.to_string()).context(|| procs.display().to_string())
}

/// Moves the caller out of every host's part of the tree.
pub(crate) fn leave() -> Result<()> {
    enter(&mounted()?, 0)
}

/// Kills all that is in a host's part of the tree and removes it.
pub(crate) fn remove(name: &str) -> Result<()> {
    let hosts = mounted()?.join(folder_name());
    remove_folder(&hosts.join(name))?;
    // Only the last host succeeds.
    let _others = fs::remove_dir(hosts);
    Ok(())
}

/// Does the same with one of the two cgroups of a host.
pub(crate) fn remove_part(name: &str, part: &str) -> Result<()> {
    remove_folder(&mounted()?.join(folder_name()).join(name).join(part))
}

fn remove_folder(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        // As root of everything it kills all below in one go.
        let _absent_before_5_14 = fs::write(folder.join("cgroup.kill"), "1");
        let events = fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default();
        if !events.contains("populated 1") && clear(folder).is_ok() {
            return Ok(());
        }
        if Instant::now() > end {
            return fail(format!("processes are left in {}", folder.display()));
        }
        sleep(Duration::from_millis(5));
    }
}

/// The cgroups that are left of hosts, for those who look for leaks.
pub(crate) fn left() -> Vec<String> {
    let Ok(place) = mounted() else { return Vec::new() };
    let entries = fs::read_dir(place.join(folder_name())).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            clear(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
