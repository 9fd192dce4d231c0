//! Paths beneath a root that belongs to somebody else: a container's.
//!
//! A path is resolved as a process chrooted there would: absolute symbolic links and `..` stay inside, also while the
//! tree changes under our feet. What copying in and out of a container needs, and no more.

use super::{Context, Error, Result};
use pathrs::flags::{OpenFlags, RenameFlags};
use pathrs::{InodeType, Root};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, socket or named pipe.
    Other,
}

/// What is known of a file without reading it. Ids are those on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits, set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content: seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
}

impl From<&std::fs::Metadata> for Metadata {
    fn from(data: &std::fs::Metadata) -> Self {
        let file_type = data.file_type();
        let kind = match () {
            () if file_type.is_file() => FileKind::File,
            () if file_type.is_dir() => FileKind::Dir,
            () if file_type.is_symlink() => FileKind::Symlink,
            () => FileKind::Other,
        };
        Self {
            kind,
            size: data.len(),
            mode: data.mode() & 0o7777,
            uid: data.uid(),
            gid: data.gid(),
            mtime: (data.mtime(), u32::try_from(data.mtime_nsec()).unwrap_or(0)),
        }
    }
}

/// What a written file, folder or link is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Owner, as seen through the mount the root is on.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, set-id and sticky bits.
    pub mode: u32,
    /// Last change of the content, where it is to be set.
    pub mtime: Option<(i64, u32)>,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// What it is; a link is not followed.
    pub metadata: Metadata,
}

/// A folder out of which no path leads.
#[derive(Debug)]
pub struct RootDir {
    root: Root,
    path: PathBuf,
}

impl RootDir {
    /// Opens a root.
    pub fn open(path: &Path) -> Result<Self> {
        let root = Root::open(path).map_err(io_error).on("open", path)?;
        Ok(Self { root, path: path.to_owned() })
    }

    /// What is at a path; a link at its end is not followed.
    pub fn metadata(&self, path: &Path) -> Result<Metadata> {
        let handle = self.root.resolve_nofollow(path);
        self.stat(handle.map_err(io_error).on("read", path)?.as_fd(), path)
    }

    /// What is at a path; a link at its end is followed, inside the root.
    pub fn metadata_followed(&self, path: &Path) -> Result<Metadata> {
        let handle = self.root.resolve(path);
        self.stat(handle.map_err(io_error).on("read", path)?.as_fd(), path)
    }

    /// Opens a regular file for reading; a link at its end is followed, inside the root.
    pub fn open_file(&self, path: &Path) -> Result<File> {
        let handle = self.root.resolve(path).map_err(io_error).on("read", path)?;
        // Asked before it is opened: opening a device has effects, opening a pipe waits.
        if self.stat(handle.as_fd(), path)?.kind != FileKind::File {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(Error::new("read", path, reason));
        }
        handle.reopen(OpenFlags::O_RDONLY).map_err(io_error).on("read", path)
    }

    /// Opens a folder as a root of its own.
    pub fn open_dir(&self, path: &Path) -> Result<Self> {
        let handle = self.root.resolve(path).map_err(io_error).on("open", path)?;
        let folder = handle
            .reopen(OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY)
            .map_err(io_error)
            .on("open", path)?;
        Ok(Self { root: Root::from_fd(folder), path: self.full(path) })
    }

    /// The names in a folder, sorted.
    pub fn read_dir(&self, path: &Path) -> Result<Vec<Entry>> {
        let folder = self
            .root
            .open_subpath(path, OpenFlags::O_RDONLY | OpenFlags::O_DIRECTORY)
            .map_err(io_error)
            .on("read", path)?;
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder).on("read", path)? {
            let name = entry.on("read", path)?.file_name().to_bytes().to_vec();
            if matches!(name.as_slice(), b"." | b"..") {
                continue;
            }
            let name = OsString::from_vec(name);
            match self.metadata(&path.join(&name)) {
                Ok(metadata) => entries.push(Entry { name, metadata }),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Where a link points.
    pub fn read_link(&self, path: &Path) -> Result<PathBuf> {
        self.root.readlink(path).map_err(io_error).on("read", path)
    }

    /// Makes a folder and those above it that are missing; what exists is left as it is.
    pub fn mkdir_all(&self, path: &Path, attributes: Attributes) -> Result<()> {
        let mut made = PathBuf::new();
        for part in path.components() {
            made.push(part);
            match self.metadata_followed(&made) {
                Ok(data) if data.kind == FileKind::Dir => {}
                Ok(_) => {
                    return Err(Error::new(
                        "create",
                        path,
                        io::Error::from(io::ErrorKind::NotADirectory),
                    ));
                }
                Err(error) if error.is_not_found() => self.create_dir(&made, attributes)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes a folder; one that exists is an error.
    pub fn create_dir(&self, path: &Path, attributes: Attributes) -> Result<()> {
        let new = InodeType::Directory(Permissions::from_mode(0o700));
        self.root.create(path, &new).map_err(io_error).on("create", path)?;
        self.set_attributes(path, attributes)
    }

    /// Makes a link; a file or link in its place is replaced, a folder is an error.
    pub fn create_symlink(&self, path: &Path, target: &Path, attributes: Attributes) -> Result<()> {
        self.remove_file_if_there(path)?;
        let new = InodeType::Symlink(target.to_owned());
        self.root.create(path, &new).map_err(io_error).on("create", path)?;
        self.set_attributes(path, attributes)
    }

    /// Writes a file from a reader; what is in its place is replaced when all is written, a folder is an error.
    ///
    /// The bytes written.
    pub fn write_file(
        &self,
        path: &Path,
        content: &mut impl io::Read,
        attributes: Attributes,
    ) -> Result<u64> {
        let name = path.file_name().ok_or_else(|| {
            Error::new("write", path, io::Error::from(io::ErrorKind::InvalidInput))
        })?;
        let mut beside = OsString::from(format!(".volt-{}-", std::process::id()));
        beside.push(name);
        let beside = path.with_file_name(beside);
        self.remove_file_if_there(&beside)?;
        let written = self.write_beside(&beside, content, attributes).and_then(|size| {
            self.root
                .rename(&beside, path, RenameFlags::empty())
                .map_err(io_error)
                .on("write", path)
                .map(|()| size)
        });
        written.inspect_err(|_| {
            if let Err(error) = self.remove_file_if_there(&beside) {
                tracing::warn!(path = %self.full(&beside).display(), %error, "a partial copy remains");
            }
        })
    }

    fn write_beside(
        &self,
        path: &Path,
        content: &mut impl io::Read,
        attributes: Attributes,
    ) -> Result<u64> {
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_EXCL | OpenFlags::O_NOFOLLOW;
        let mut file = self
            .root
            .create_file(path, flags, &Permissions::from_mode(0o600))
            .map_err(io_error)
            .on("write", path)?;
        let size = io::copy(content, &mut file).on("write", path)?;
        let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        rustix::fs::fchown(&file, Some(uid), Some(gid)).on("write", path)?;
        // After chown, which takes the set-id bits away.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode)).on("write", path)?;
        if let Some(mtime) = attributes.mtime {
            rustix::fs::futimens(&file, &timestamps(mtime)).on("write", path)?;
        }
        Ok(size)
    }

    /// Sets owner, mode and time of what is at a path; a link at its end is not followed (and has no mode).
    pub fn set_attributes(&self, path: &Path, attributes: Attributes) -> Result<()> {
        let handle = self.root.resolve_nofollow(path).map_err(io_error).on("change", path)?;
        let kind = self.stat(handle.as_fd(), path)?.kind;
        let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        rustix::fs::chownat(&handle, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)
            .on("change", path)?;
        if kind != FileKind::Symlink {
            let file = handle.reopen(OpenFlags::O_RDONLY | OpenFlags::O_NONBLOCK);
            let file = file.map_err(io_error).on("change", path)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(attributes.mode)).on("change", path)?;
        }
        if let Some(mtime) = attributes.mtime {
            rustix::fs::utimensat(&handle, "", &timestamps(mtime), AtFlags::EMPTY_PATH)
                .on("change", path)?;
        }
        Ok(())
    }

    /// Removes a file or link.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        self.root.remove_file(path).map_err(io_error).on("remove", path)
    }

    /// Removes a file, link or folder with all in it.
    pub fn remove_all(&self, path: &Path) -> Result<()> {
        self.root.remove_all(path).map_err(io_error).on("remove", path)
    }

    fn remove_file_if_there(&self, path: &Path) -> Result<()> {
        match self.remove_file(path) {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        }
    }

    fn stat(&self, fd: impl AsFd, path: &Path) -> Result<Metadata> {
        // `File::metadata` works on an O_PATH descriptor, and does not follow.
        let file = File::from(fd.as_fd().try_clone_to_owned().on("read", path)?);
        Ok(Metadata::from(&file.metadata().on("read", path)?))
    }

    fn full(&self, path: &Path) -> PathBuf {
        self.path.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn timestamps((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

fn io_error(error: pathrs::error::Error) -> io::Error {
    use pathrs::error::ErrorKind;
    match error.kind() {
        ErrorKind::OsError(Some(code)) => io::Error::from_raw_os_error(code),
        ErrorKind::SafetyViolation => io::Error::from_raw_os_error(libc::EXDEV),
        ErrorKind::InvalidArgument => io::Error::new(io::ErrorKind::InvalidInput, error),
        _ => io::Error::other(error),
    }
}
