//! What of a fresh Debian tree must not be in an image: caches, logs, devices, and what belongs to one machine.

use super::Plan;
use crate::error::{Error, Result};
use crate::tree::{Flow, walk};
use rustix::fs::FileType;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Folders whose files go; the folders stay.
const CACHES: [&[u8]; 4] = [b"var/cache/apt", b"var/lib/apt/lists", b"var/log", b"debootstrap"];
/// Files that go wherever they are: they name this machine or were copied from it.
const OWN: [&[u8]; 3] = [b"etc/hostname", b"etc/resolv.conf", b"var/lib/dbus/machine-id"];
/// Files that are there and empty: containers get their own laid over them, and an empty machine-id is one that
/// the first boot makes.
const EMPTY: [(&str, u32); 3] =
    [("etc/machine-id", 0o444), ("etc/resolv.conf", 0o644), ("etc/hosts", 0o644)];

/// Cleans the tree, and says where it came from. Its last step checks that debootstrap came to its end.
pub(super) fn clean(root: &Path, plan: &Plan) -> Result<String> {
    walk(root, &mut |found| {
        let kind = found.file_type();
        let special =
            matches!(kind, FileType::CharacterDevice | FileType::BlockDevice | FileType::Socket);
        let path = found.path.as_bytes();
        let below = |folder: &[u8]| path.strip_prefix(folder).is_some_and(|p| p.starts_with(b"/"));
        let machine_id = path == b"etc/machine-id";
        let cached = CACHES.iter().any(|folder| below(folder));
        let goes = special || cached || machine_id || OWN.contains(&path);
        if goes && kind != FileType::Directory {
            found.remove().map_err(|error| {
                Error::io("remove", &root.join(crate::error::printable(path)), error)
            })?;
        }
        Ok(Flow::Descend)
    })?;
    for (name, mode) in EMPTY {
        let path = root.join(name);
        if fs::symlink_metadata(&path).is_err() {
            fs::write(&path, b"")
                .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode)))
                .map_err(|error| Error::io("write", &path, error))?;
        }
    }
    let variant = plan.variant.as_ref().map(|variant| format!(" ({variant})")).unwrap_or_default();
    Ok(format!("debootstrap {}{variant}", plan.suite))
}
