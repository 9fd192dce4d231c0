//! Unpacking an archive that the server sent, into one folder and nowhere else.
//!
//! The server and the container behind it are taken for hostile. Every part of every path is opened by itself, below the folder
//! and without following links, so neither `..` nor a link that the archive made leads out. Symbolic links are made as they
//! are, for nothing here ever goes through one. Devices, pipes, set-id bits and owners are not taken over.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use tar::EntryType;

/// The deepest path that is taken.
const MAX_DEPTH: usize = 256;

/// How what comes is named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As the archive has it.
    Kept,
    /// The first part of every path becomes this.
    First(String),
    /// The first part of every path is left out: only what is in the folder is wanted.
    Contents,
}

/// Unpacks all of `from` below `folder`, and returns what was left out, a sentence each.
///
/// # Errors
/// When the archive is broken or climbs out, or something can't be written; with its path.
pub(crate) fn unpack(from: impl Read, folder: &Path, naming: &Naming) -> io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(folder, flags, Mode::empty()).map_err(|e| {
        io::Error::new(io::Error::from(e).kind(), format!("{}: {e}", folder.display()))
    })?;
    let mut left_out = Vec::new();
    // A folder that may not be written to gets its mode when all is in it.
    let mut folders = Vec::new();
    let mut archive = tar::Archive::new(from);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let bytes = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{shown}: {e}"));
        let parts = parts(&bytes, naming).map_err(named)?;
        let mode = RawMode::from(u16::try_from(entry.header().mode()? & 0o777).unwrap_or(0o600));
        let Some((last, above)) = parts.split_last() else { continue };
        let parent = below(root.as_fd(), above).map_err(named)?;
        let place = Place { parent: parent.as_fd(), name: OsStr::from_bytes(last) };
        let kind = entry.header().entry_type();
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let mtime = entry.header().mtime()?;
                place.file(&mut entry, mode, mtime).map_err(named)?;
            }
            EntryType::Directory => {
                let made = place.folder().map_err(named)?;
                folders.push((made, mode));
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                place.link(&target).map_err(named)?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = self::parts(&target, naming).map_err(named)?;
                place.hard_link(root.as_fd(), &target).map_err(named)?;
            }
            _ => left_out.push(format!("{shown}: neither file, folder nor link")),
        }
        if folders.len() > 512 {
            // Descriptors are few; those that stay open are the ones that may still fill.
            finish(folders.drain(..256));
        }
    }
    finish(folders.into_iter().rev());
    Ok(left_out)
}

/// Gives folders their modes; one of our own we can always get into.
fn finish(folders: impl Iterator<Item = (OwnedFd, RawMode)>) {
    for (folder, mode) in folders {
        // A folder that keeps a plainer mode is no harm.
        rustix::fs::fchmod(folder, Mode::from_raw_mode(mode)).ok();
    }
}

/// The parts of a path as they are named here; none for the folder itself.
fn parts(path: &[u8], naming: &Naming) -> io::Result<Vec<Vec<u8>>> {
    let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let mut parts = Vec::new();
    for component in Path::new(OsStr::from_bytes(path)).components() {
        match component {
            Component::Normal(part) if part.as_bytes().contains(&0) => {
                return Err(wrong("there is a NUL in the name"));
            }
            Component::Normal(part) => parts.push(part.as_bytes().to_vec()),
            Component::CurDir => {}
            _ => return Err(wrong("the path leads out of the folder; nothing more is unpacked")),
        }
    }
    if parts.len() > MAX_DEPTH {
        return Err(wrong("the path is too deep"));
    }
    match naming {
        Naming::Kept => {}
        Naming::First(name) if !parts.is_empty() => parts[0] = name.as_bytes().to_vec(),
        Naming::Contents if !parts.is_empty() => drop(parts.remove(0)),
        Naming::First(_) | Naming::Contents => {}
    }
    Ok(parts)
}

/// Opens the folder that `parts` lead to, and makes it where it is missing; no part may be a link.
fn below(root: BorrowedFd<'_>, parts: &[Vec<u8>]) -> io::Result<OwnedFd> {
    let mut at = rustix::io::fcntl_dupfd_cloexec(root, 0)?;
    for part in parts {
        at = Place { parent: at.as_fd(), name: OsStr::from_bytes(part) }.folder()?;
    }
    Ok(at)
}

/// A name in an open folder.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    parent: BorrowedFd<'a>,
    name: &'a OsStr,
}

impl Place<'_> {
    /// A folder here, made where there is none.
    fn folder(self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(self.parent, self.name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                rustix::fs::mkdirat(self.parent, self.name, Mode::RWXU)?;
                Ok(rustix::fs::openat(self.parent, self.name, flags, Mode::empty())?)
            }
            Err(Errno::LOOP | Errno::NOTDIR) => Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                "there is a file or a link where a folder is to be",
            )),
            other => Ok(other?),
        }
    }

    /// Takes away what is here, unless it is a folder.
    fn clear(self) -> io::Result<()> {
        match rustix::fs::unlinkat(self.parent, self.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR) => Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "there is a folder where a file is to be",
            )),
            Err(e) => Err(e.into()),
        }
    }

    fn file(self, from: &mut impl Read, mode: RawMode, mtime: u64) -> io::Result<()> {
        self.clear()?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(self.parent, self.name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = fs::File::from(fd);
        io::copy(from, &mut file)?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        let kept = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let last_modification =
            Timespec { tv_sec: i64::try_from(mtime).unwrap_or_default(), tv_nsec: 0 };
        let times = Timestamps { last_access: kept, last_modification };
        rustix::fs::futimens(&file, &times)?;
        Ok(())
    }

    fn link(self, target: &[u8]) -> io::Result<()> {
        self.clear()?;
        Ok(rustix::fs::symlinkat(OsStr::from_bytes(target), self.parent, self.name)?)
    }

    /// A second name of a file that was unpacked before, itself below the root.
    fn hard_link(self, root: BorrowedFd<'_>, target: &[Vec<u8>]) -> io::Result<()> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "it links to nothing");
        let (last, above) = target.split_last().ok_or_else(missing)?;
        let folder = below(root, above)?;
        let last = OsStr::from_bytes(last);
        let kind = rustix::fs::statat(&folder, last, AtFlags::SYMLINK_NOFOLLOW)?.st_mode;
        if FileType::from_raw_mode(kind) != FileType::RegularFile {
            return Err(missing());
        }
        self.clear()?;
        Ok(rustix::fs::linkat(&folder, last, self.parent, self.name, AtFlags::empty())?)
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
