//! Disks: which one is behind a path, and whether the kernel shares one out by weight.

use crate::files::{Context, Error, Result};
use rustix::fs::FileType;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the kernel lists devices by number.
const BY_NUMBER: &str = "/sys/dev/block";

/// The node of the disk behind a path: of a device node the device itself, of any other path the one that its file system lies on; of
/// a partition the whole disk, for which alone the kernel has limits.
///
/// # Errors
/// `NotFound` for a path that isn't there; `Unsupported` for one with no disk behind it, such as a memory or network file system's.
pub fn disk_of(path: &Path) -> Result<PathBuf> {
    let stat = rustix::fs::stat(path).map_err(io::Error::from).on("look at", path)?;
    let is_node = FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice;
    let device = if is_node { stat.st_rdev } else { stat.st_dev };
    let device = if rustix::fs::major(device) == 0 { mounted_from(path)? } else { device };
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let listed = Path::new(BY_NUMBER).join(format!("{major}:{minor}"));
    let found = fs::canonicalize(&listed).map_err(|_| without_disk(path))?;
    let partition = found.join("partition").exists();
    let disk = if partition { found.parent().unwrap_or(&found) } else { &found };
    let name = disk.file_name().unwrap_or_default().to_string_lossy();
    // The kernel writes a slash in a name so.
    let node = Path::new("/dev").join(name.replace('!', "/"));
    if node.exists() { Ok(node) } else { Err(without_disk(path)) }
}

/// The device that a file system with no device number of its own, such as btrfs, says it was mounted from.
fn mounted_from(path: &Path) -> Result<u64> {
    let real = fs::canonicalize(path).on("look at", path)?;
    let mounts =
        crate::mounts::mounts().map_err(|error| Error::new("look at", path, error.source))?;
    let above = mounts.into_iter().filter(|mount| real.starts_with(&mount.mount_point));
    // Of several on one place the last is seen.
    let nearest = above.max_by_key(|mount| mount.mount_point.as_os_str().len());
    let source = nearest.and_then(|mount| fs::metadata(mount.source).ok());
    let device = source.map(|source| source.rdev()).filter(|device| *device != 0);
    device.ok_or_else(|| without_disk(path))
}

fn without_disk(path: &Path) -> Error {
    Error::new("find a disk behind", path, io::ErrorKind::Unsupported)
}

/// Whether any disk is shared out by weight: by the kernel's cost model, where somebody has turned it on, or by the scheduler BFQ.
pub fn shares_by_weight() -> bool {
    let model = crate::cgroup::root().map(|root| root.join("io.cost.qos"));
    let by_cost = model
        .is_ok_and(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("enable=1")));
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut schedulers = disks.map(|disk| fs::read_to_string(disk.path().join("queue/scheduler")));
    by_cost || schedulers.any(|text| text.is_ok_and(|text| text.contains("[bfq]")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_disk_is_refused() {
        let kind = |path: &str| disk_of(Path::new(path)).unwrap_err().source.kind();
        assert_eq!(kind("/nowhere/at/all"), io::ErrorKind::NotFound);
        assert_eq!(kind("/proc"), io::ErrorKind::Unsupported);
        assert_eq!(kind("/dev/null/x"), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn all_names_of_a_disk_lead_to_its_node() {
        let Ok(disk) = disk_of(Path::new("/")) else { return };
        assert_eq!(disk_of(&disk).unwrap(), disk);
        assert!(disk.starts_with("/dev"), "{}", disk.display());
    }
}
