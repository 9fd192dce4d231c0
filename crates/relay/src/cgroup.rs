//! Leaving the unit's own cgroup to controllers: a cgroup that hands controllers on may hold no process itself.

use std::io;
use std::path::{Path, PathBuf};

/// Moves this process to `supervisor/` below its cgroup, where systemd has delegated that to it.
///
/// To be called right after nspawn was started: nspawn (252) makes its own two cgroups below the one it is started in
/// and would put them below `supervisor/`.
pub(crate) fn move_to_supervisor() -> io::Result<()> {
    let Some(own) = own()? else { return Ok(()) };
    if own.ends_with("supervisor") || !is_delegated(&own) {
        return Ok(());
    }
    let supervisor = own.join("supervisor");
    match std::fs::create_dir(&supervisor) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    std::fs::write(supervisor.join("cgroup.procs"), "0")
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
    let cgroups = std::fs::read_to_string("/proc/self/cgroup")?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    Ok(folder(&cgroups, &mounts))
}

fn folder(cgroups: &str, mounts: &str) -> Option<PathBuf> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let fields: Vec<&str> = before.split(' ').collect();
        (after.starts_with("cgroup2 ") && fields.get(3) == Some(&"/")).then(|| fields[4])
    })?;
    // A path that climbs belongs to another cgroup namespace.
    (!path.split('/').any(|part| part == "..")).then(|| Path::new(mount).join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "29 23 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
        30 29 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_folder_is_found_wherever_the_tree_is_mounted() {
        let cases = [
            ("0::/system.slice/a.service\n", Some("/sys/fs/cgroup/unified/system.slice/a.service")),
            ("1:cpu:/x\n0::/y\n", Some("/sys/fs/cgroup/unified/y")),
            ("1:cpu:/x\n", None),
            ("0::/../x\n", None),
        ];
        for (cgroups, expected) in cases {
            assert_eq!(folder(cgroups, MOUNTS).as_deref(), expected.map(Path::new));
        }
        assert_eq!(folder("0::/y\n", ""), None);
    }
}
