//! Whole trees: removing one, measuring one, and the space left on its file system.
//!
//! Trees hold what a stranger's image put there. They are walked by descriptor, no symbolic link is followed, no mount
//! is entered, and depth costs a bounded number of descriptors.

use super::{Context, Error, Result};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fchmod, openat, openat2,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::path::Path;

/// How deep a walk goes before it stops nesting descriptors.
const DEPTH: usize = 64;

/// Removes a file or a whole tree. Nothing there is no error; a mount inside is (`CrossesDevices`).
pub fn remove_tree(path: &Path) -> Result<()> {
    let folder = match openat(CWD, path, DIR_FLAGS, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(()),
        // A file, or a symbolic link, which is removed and not followed.
        Err(Errno::NOTDIR | Errno::LOOP) => return std::fs::remove_file(path).on("remove", path),
        Err(Errno::ACCESS) => {
            rustix::fs::chmod(path, Mode::RWXU).on("remove", path)?;
            openat(CWD, path, DIR_FLAGS, Mode::empty()).on("remove", path)?
        }
        Err(error) => return Err(Error::new("remove", path, error)),
    };
    let mut remover = Remover { top: folder.as_fd(), moved: 0 };
    remover.empty(folder.as_fd(), 0).on("remove", path)?;
    // What was too deep was moved up to the top; each round takes off another `DEPTH` levels.
    while remover.moved > 0 {
        remover.moved = 0;
        remover.empty(folder.as_fd(), 0).on("remove", path)?;
    }
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::new("remove", path, error))
        }
        _ => Ok(()),
    }
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK);

struct Remover<'a> {
    top: BorrowedFd<'a>,
    moved: usize,
}

impl Remover<'_> {
    fn empty(&mut self, folder: BorrowedFd<'_>, depth: usize) -> rustix::io::Result<()> {
        for (name, kind) in entries(folder)? {
            if kind != FileType::Directory {
                match unlink(folder, &name, AtFlags::empty()) {
                    Err(Errno::ISDIR) => {}
                    Ok(()) | Err(Errno::NOENT) => continue,
                    Err(error) => return Err(error),
                }
            }
            if depth >= DEPTH {
                self.move_to_top(folder, &name)?;
                continue;
            }
            let child = match open_child(folder, &name) {
                Err(Errno::NOENT) => continue,
                child => child?,
            };
            self.empty(child.as_fd(), depth + 1)?;
            drop(child);
            match unlink(folder, &name, AtFlags::REMOVEDIR) {
                Err(Errno::NOENT) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn move_to_top(&mut self, folder: BorrowedFd<'_>, name: &CString) -> rustix::io::Result<()> {
        for number in 0.. {
            let new = format!(".volt-remove-{}-{number}", self.moved);
            match statat(self.top, &new, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    self.moved += 1;
                    return renameat(folder, name, self.top, &new);
                }
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Opens a folder of this mount only; one that its owner may not read (we are not root then) is made readable.
fn open_child(folder: BorrowedFd<'_>, name: &CString) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let open = || openat2(folder, name, DIR_FLAGS, Mode::empty(), resolve);
    match open() {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(folder, name, Mode::RWXU, AtFlags::empty())?;
            open()
        }
        other => other,
    }
}

fn unlink(folder: BorrowedFd<'_>, name: &CString, flags: AtFlags) -> rustix::io::Result<()> {
    match unlinkat(folder, name, flags) {
        Err(Errno::ACCESS) => {
            fchmod(folder, Mode::RWXU)?;
            unlinkat(folder, name, flags)
        }
        other => other,
    }
}

fn entries(folder: BorrowedFd<'_>) -> rustix::io::Result<Vec<(CString, FileType)>> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            all.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(all)
}

/// What a tree takes up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// Bytes on disk; a file with several names counts once.
    pub bytes: u64,
    /// Sum of the lengths of its files, in bytes.
    pub apparent: u64,
    /// Files, folders and all else, itself included.
    pub entries: u64,
    /// False where folders nested too deep to be counted were left out.
    pub complete: bool,
}

/// Measures a file or tree on its own mount. What vanishes meanwhile is not counted.
pub fn dir_size(path: &Path) -> Result<DiskUsage> {
    let mut meter =
        Meter { seen: HashSet::new(), usage: DiskUsage { complete: true, ..Default::default() } };
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).on("measure", path)?;
    meter.count(&stat);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        let folder = openat(CWD, path, DIR_FLAGS, Mode::empty()).on("measure", path)?;
        meter.walk(folder.as_fd(), 0).on("measure", path)?;
    }
    Ok(meter.usage)
}

struct Meter {
    seen: HashSet<(u64, u64)>,
    usage: DiskUsage,
}

impl Meter {
    fn count(&mut self, stat: &Stat) {
        self.usage.entries += 1;
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if !folder && stat.st_nlink > 1 && !self.seen.insert((stat.st_dev, stat.st_ino)) {
            return;
        }
        self.usage.bytes += stat.st_blocks.cast_unsigned() * 512;
        self.usage.apparent += if folder { 0 } else { stat.st_size.cast_unsigned() };
    }

    fn walk(&mut self, folder: BorrowedFd<'_>, depth: usize) -> rustix::io::Result<()> {
        for (name, _) in entries(folder)? {
            let stat = match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            self.count(&stat);
            if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                continue;
            }
            if depth >= DEPTH * 4 {
                self.usage.complete = false;
                continue;
            }
            let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
            match openat2(folder, &name, DIR_FLAGS, Mode::empty(), resolve) {
                Ok(child) => self.walk(child.as_fd(), depth + 1)?,
                Err(Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(Errno::ACCESS) => self.usage.complete = false,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The space on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// All of it.
    pub total: u64,
    /// What an ordinary user may still take.
    pub available: u64,
}

/// The space on the file system that holds this path.
pub fn free_space(path: &Path) -> Result<FreeSpace> {
    let stat = rustix::fs::statvfs(path).on("measure", path)?;
    Ok(FreeSpace { total: stat.f_blocks * stat.f_frsize, available: stat.f_bavail * stat.f_frsize })
}
