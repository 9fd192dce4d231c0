//! Owners and modes of single files, and files that need not survive the next boot.

use super::{Context, Result};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File, Permissions};
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::Path;

/// Gives a file or folder exactly this mode, whatever the umask was.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).on("set the mode of", path)
}

/// Gives a file or folder this owner and group; a link is not followed.
pub fn set_owner(path: &Path, uid: u32, gid: u32) -> Result<()> {
    lchown(path, Some(uid), Some(gid)).on("set the owner of", path)
}

/// The owner and group of a file or folder; a link is not followed.
pub fn owner(path: &Path) -> Result<(u32, u32)> {
    let data = fs::symlink_metadata(path).on("read the owner of", path)?;
    Ok((data.uid(), data.gid()))
}

/// Lets the members of a group read a file, as far as its mode says so; a host without the group has nobody to share with.
pub fn share_with_group(path: &Path, group: &str) -> Result<()> {
    let Ok(text) = super::read_text(Path::new("/etc/group"), 16 << 20) else { return Ok(()) };
    let id = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(group)).then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    match id {
        // Who has no right to that keeps it to themself.
        Some(gid) => match chown(path, None, Some(gid)) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
            other => other.on("set the group of", path),
        },
        None => Ok(()),
    }
}

/// Writes a file in one step, like `write_atomic`, but without waiting for the disk: for what is made anew at every boot.
pub fn write_volatile(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    super::draft::write(path, bytes, mode, |_| Ok(()))
}

/// A file that is only in memory, read from its beginning; it is inherited by whoever is given its descriptor.
pub fn memory_file(name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let path = Path::new(name);
    let fd =
        memfd_create(name, MemfdFlags::CLOEXEC).map_err(std::io::Error::from).on("make", path)?;
    let mut file = File::from(fd);
    file.write_all(bytes).on("write", path)?;
    file.rewind().on("rewind", path)?;
    Ok(file.into())
}
