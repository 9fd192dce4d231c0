//! Mounts: overlays of idmapped layers and images, binds, unmounting, and what is mounted where.
//!
//! Works with what kernel 6.1 has: overlayfs takes its layers as strings there, and only layers that are attached
//! somewhere. So idmapped layers are attached on the very place where the overlay will be, named through
//! `/proc/self/fd`, and taken away once the overlay has its own private clones of them. A process that is killed in
//! between leaves nothing but mounts on that one place, which `unmount_all` removes.

#![expect(
    unsafe_code,
    reason = "mount_setattr, loop devices and the clone for a user namespace have no safe wrapper"
)]

mod erofs;
mod idmap;
mod info;
mod overlay;
#[cfg(test)]
mod tests;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags, fstat, openat,
    openat2, statx,
};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
    mount_change, move_mount, open_tree, unmount as sys_unmount,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

pub use erofs::{mount_image, probe_images};
pub use idmap::{IdMap, UserNamespace};
pub use info::{MountEntry, parse_mountinfo};
pub use overlay::{Layer, Overlay, is_overlay_root, overlay_root};
pub use rustix::mount::MountAttrFlags as MountAttributes;

/// A mount that could not be made, changed or taken away.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}{}", path.display(), hint(detail))]
pub struct Error {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// Where.
    pub path: PathBuf,
    /// What else is known; may be empty.
    pub detail: String,
    /// What the kernel said.
    pub source: io::Error,
}

fn hint(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// A result of a change of mounts.
pub type Result<T> = std::result::Result<T, Error>;

trait Context<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn on(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error {
            action,
            path: path.to_owned(),
            detail: String::new(),
            source: source.into(),
        })
    }
}

/// Makes a copy of the mount at a path, seen through a map of ids; it is attached nowhere yet.
///
/// Without a map the copy differs only in its attributes. What is mounted below the path is not in it.
pub fn clone_mount(
    source: &Path,
    map: Option<&UserNamespace>,
    attributes: MountAttributes,
) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, source, flags).on("clone the mount of", source)?;
    if map.is_some() || !attributes.is_empty() {
        idmap::set_attributes(tree.as_fd(), map, attributes).on("map the ids of", source)?;
    }
    Ok(tree)
}

/// Whether a file or folder can be seen through a map of ids: not every file system has them.
pub fn can_map_ids(source: &Path) -> Result<bool> {
    let map = UserNamespace::new(IdMap::of(1 << 20))?;
    match clone_mount(source, Some(&map), MountAttributes::empty()) {
        Ok(_) => Ok(true),
        Err(error) if error.source.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Attaches a mount that is attached nowhere.
pub fn attach(mount: impl AsFd, target: &Path) -> Result<()> {
    move_mount(mount.as_fd(), "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .on("mount on", target)
}

/// Shows a file or folder at another place, with attributes and, where given, through a map of ids.
pub fn bind(
    source: &Path,
    target: &Path,
    map: Option<&UserNamespace>,
    attributes: MountAttributes,
) -> Result<()> {
    attach(clone_mount(source, map, attributes)?, target)
}

/// Shows a file or folder below a folder at another place, which is made. No link on the way is followed, and nothing that is mounted
/// there is crossed.
pub fn bind_beneath(
    dir: &Path,
    part: &Path,
    target: &Path,
    attributes: MountAttributes,
) -> Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let folder = openat(CWD, dir, flags | OFlags::DIRECTORY, Mode::empty()).on("open", dir)?;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let whole = dir.join(part);
    let found = openat2(&folder, part, flags, Mode::empty(), resolve).on("open", &whole)?;
    let is_folder = fstat(&found).map(|data| FileType::from_raw_mode(data.st_mode).is_dir());
    make_place(target, is_folder.on("look at", &whole)?)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&found, "", flags).on("clone the mount of", &whole)?;
    if !attributes.is_empty() {
        idmap::set_attributes(tree.as_fd(), None, attributes).on("limit the mount of", &whole)?;
    }
    attach(tree, target)
}

/// Shows a file or folder of the host at another place, which is made, with attributes.
pub fn bind_at(source: &Path, target: &Path, attributes: MountAttributes) -> Result<()> {
    let data = std::fs::metadata(source).on("look at", source)?;
    make_place(target, data.is_dir())?;
    bind(source, target, None, attributes)
}

/// Makes what a folder or file is mounted upon.
fn make_place(target: &Path, is_folder: bool) -> Result<()> {
    let made = match is_folder {
        true => std::fs::create_dir_all(target),
        false => target
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::File::create(target).map(drop)),
    };
    made.on("make", target)
}

/// Mounts an empty file system in memory to which everybody may write. At most `size` bytes fit in, where that is said.
pub fn mount_memory(target: &Path, size: Option<u64>) -> Result<()> {
    make_place(target, true)?;
    let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
    let options =
        CString::new(format!("mode=1777{size}")).map_err(io::Error::from).on("mount on", target)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("volt", target, "tmpfs", flags, options.as_c_str()).on("mount on", target)
}

/// Mounts an empty file system in memory that only root enters and that is never written to swap. Up to `size` bytes fit in.
pub fn mount_unswapped(target: &Path, size: u64) -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = CString::new(format!("mode=0700,size={size},noswap"))
        .map_err(io::Error::from)
        .on("mount on", target)?;
    match mount("volt", target, "tmpfs", flags, options.as_c_str()) {
        // Linux has it since 6.3, for the host's own root. What is in a ramfs isn't swapped either, but it knows no size.
        Err(Errno::INVAL) => mount("volt", target, "ramfs", flags, c"mode=0700"),
        mounted => mounted,
    }
    .on("mount on", target)
}

/// Keeps mounts made below this mount point to this mount namespace.
pub fn make_private(target: &Path) -> Result<()> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(target, flags).on("make private", target)
}

/// When an unmount takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmount {
    /// Now, or an error (`ResourceBusy`) while somebody uses it.
    Now,
    /// Out of sight now; really gone when the last user is.
    Lazy,
}

/// Takes the topmost mount away from a place. False where nothing is mounted.
pub fn unmount(target: &Path, how: Unmount) -> Result<bool> {
    let lazy = if how == Unmount::Lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    match sys_unmount(target, lazy | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOENT) => Ok(false),
        Err(error) => Err(error).on("unmount", target),
    }
}

/// Takes away everything that is mounted on a place or below it, innermost first. How many there were.
pub fn unmount_all(target: &Path, how: Unmount) -> Result<usize> {
    let mut count = 0;
    // A mount may hide others, which come to light when it is gone.
    loop {
        let below = mounts_below(target)?;
        let mut progress = false;
        for mount in below.iter().rev() {
            if unmount(&mount.mount_point, how)? {
                progress = true;
                count += 1;
            }
        }
        if !progress {
            return Ok(count);
        }
    }
}

/// Whether something is mounted on this place. Links are not followed; a missing path is no mount point.
pub fn is_mount_point(path: &Path) -> Result<bool> {
    match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()) {
        Ok(data) => Ok(data.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(error).on("look at", path),
    }
}

/// All mounts of the calling thread's namespace, in the order in which they were made visible.
pub fn mounts() -> Result<Vec<MountEntry>> {
    let path = Path::new("/proc/thread-self/mountinfo");
    let text = std::fs::read(path).on("read", path)?;
    Ok(parse_mountinfo(&text))
}

/// All mounts that a process sees, by their places below its root.
pub fn mounts_of(pid: u32) -> Result<Vec<MountEntry>> {
    let path = PathBuf::from(format!("/proc/{pid}/mountinfo"));
    let text = std::fs::read(&path).on("read", &path)?;
    Ok(parse_mountinfo(&text))
}

/// The mounts on a place and below it.
pub fn mounts_below(target: &Path) -> Result<Vec<MountEntry>> {
    let mut all = mounts()?;
    all.retain(|mount| mount.mount_point.starts_with(target));
    Ok(all)
}
