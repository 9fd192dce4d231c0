//! Writing a tree from entries, whoever made them.
//!
//! Every entry is made by its last name in a folder that the kernel resolved beneath the root. Folders get their
//! mode, times and attributes at the end, when nothing is made in them any more.

use super::{Entry, EntryPath, Kind, Meta, Notes, Shape, open_in_root};
use crate::error::{Error, Result, printable};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The most that names and attributes of folders may take while a tree is made, in bytes.
const FOLDER_MEMORY: usize = 256 << 20;
/// The most names of left-out entries that are remembered, to judge hard links to them.
const SPECIAL_LIMIT: usize = 100_000;

/// What a tree may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    /// The sum of the sizes of its files, in bytes; holes count.
    pub(crate) bytes: u64,
    /// Its entries.
    pub(crate) entries: u64,
}

/// Makes a tree.
pub(crate) struct TreeWriter {
    root: OwnedFd,
    path: PathBuf,
    quota: Quota,
    rootless: bool,
    /// Who gets folders that no entry tells of; else the caller.
    owner: Option<u32>,
    /// The folder of the last entry: archives keep a folder's entries together.
    folder: Option<(Vec<u8>, OwnedFd)>,
    folders: BTreeMap<EntryPath, Meta>,
    folder_memory: usize,
    special: HashSet<EntryPath>,
    bytes: u64,
    entries: u64,
    buffer: Vec<u8>,
    /// What was neutralised so far.
    pub(crate) notes: Notes,
}

impl TreeWriter {
    /// Writes below `path`, an empty folder. Rootless means that all is owned by the caller.
    pub(crate) fn new(path: &Path, quota: Quota, rootless: bool) -> Result<Self> {
        let root = super::open_root(path).map_err(|error| Error::io("open", path, error))?;
        Ok(Self {
            root,
            path: path.to_owned(),
            quota,
            rootless,
            owner: None,
            folder: None,
            folders: BTreeMap::new(),
            folder_memory: 0,
            special: HashSet::new(),
            bytes: 0,
            entries: 0,
            buffer: vec![0; 256 << 10],
            notes: Notes::default(),
        })
    }

    /// Gives folders that no entry tells of to somebody else than the caller.
    #[must_use]
    pub(crate) fn owned_by(self, owner: Option<u32>) -> Self {
        Self { owner, ..self }
    }

    /// Makes an entry. `data` yields the bytes of a file's segments.
    pub(crate) fn put(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<()> {
        self.entries += 1;
        if self.entries > self.quota.entries {
            let most = self.quota.entries;
            return Err(self.refused(entry, format!("there are more than {most} entries")));
        }
        match (&entry.kind, entry.path.split()) {
            (Kind::Special(what), _) => self.leave_out(entry, what),
            (Kind::Directory, None) => self.remember(entry),
            (_, None) => Err(self.refused(entry, "it takes the place of the root")),
            (kind, Some((folder, name))) => {
                let folder = self.folder(entry, folder)?;
                match kind {
                    Kind::Directory => self.directory(entry, folder.as_fd(), name),
                    Kind::File(shape) => self.file(entry, shape, (folder.as_fd(), name), data),
                    Kind::Symlink(target) => self.symlink(entry, target, folder.as_fd(), name),
                    Kind::HardLink(target) => self.hard_link(entry, target, folder.as_fd(), name),
                    Kind::Fifo => self.fifo(entry, folder.as_fd(), name),
                    Kind::Special(_) => Ok(()),
                }
            }
        }
    }

    /// Gives the folders their attributes and returns what was neutralised.
    pub(crate) fn finish(mut self) -> Result<Notes> {
        // From the leaves up: a folder that is closed to us hides nothing that is still to be done.
        let folders = std::mem::take(&mut self.folders);
        for (path, meta) in folders.iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            let fd = match open_in_root(&self.root, path.as_bytes(), flags) {
                Ok(fd) => fd,
                // Something else took its place later on.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(error) => return Err(self.io("open", path, error)),
            };
            let user = if self.rootless { 0o700 } else { 0 };
            self.dress(&fd, path, meta, user)?;
        }
        Ok(self.notes)
    }

    fn refused(&self, entry: &Entry, reason: impl Into<String>) -> Error {
        Error::refused(entry.path.as_bytes(), reason)
    }

    fn io(&self, doing: &'static str, path: &EntryPath, error: Errno) -> Error {
        match error {
            Errno::NAMETOOLONG => Error::refused(path.as_bytes(), "its name is too long"),
            Errno::FBIG => Error::refused(path.as_bytes(), "it is larger than files can be here"),
            Errno::MLINK => Error::refused(path.as_bytes(), "the file has too many names"),
            _ => Error::io(doing, &self.path.join(printable(path.as_bytes())), error),
        }
    }

    fn leave_out(&mut self, entry: &Entry, what: &str) -> Result<()> {
        if self.special.len() >= SPECIAL_LIMIT {
            return Err(self.refused(entry, "there are too many devices"));
        }
        self.special.insert(entry.path.clone());
        self.notes.add(entry.path.as_bytes(), format!("{what} was left out"));
        Ok(())
    }

    /// The folder an entry lies in, made where it is missing.
    fn folder(&mut self, entry: &Entry, path: &[u8]) -> Result<OwnedFd> {
        if let Some((last, fd)) = &self.folder
            && last == path
        {
            return rustix::io::dup(fd).map_err(|error| self.io("open", &entry.path, error));
        }
        let fd = self.open_folder(entry, path, true)?;
        let copy = rustix::io::dup(&fd).map_err(|error| self.io("open", &entry.path, error))?;
        self.folder = Some((path.to_vec(), copy));
        Ok(fd)
    }

    /// Opens a folder; a link that would lead out of the root is taken as the image sees it, and noted.
    fn open_folder(&mut self, entry: &Entry, path: &[u8], make: bool) -> Result<OwnedFd> {
        let here = if path.is_empty() { &b"."[..] } else { path };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let strict = rustix::fs::openat2(&self.root, here, flags, Mode::empty(), resolve);
        let opened = match strict {
            Err(Errno::XDEV) => {
                let opened = open_in_root(&self.root, path, flags);
                if opened.is_ok() {
                    let what = "it lies behind a link that leads out; it was kept inside the image";
                    self.notes.add(entry.path.as_bytes(), what);
                }
                opened
            }
            other => other,
        };
        match opened {
            Ok(fd) => Ok(fd),
            Err(Errno::NOENT) if make => self.make_folders(entry, path),
            Err(Errno::NOENT) => {
                Err(self.refused(entry, "it refers to a folder that does not exist"))
            }
            Err(Errno::NOTDIR) => {
                Err(self.refused(entry, "it lies below something that is no folder"))
            }
            Err(Errno::LOOP) => Err(self.refused(entry, "it lies behind links that go in circles")),
            Err(Errno::XDEV) => Err(self.refused(entry, "it lies behind a link that leads out")),
            Err(error) => Err(self.io("open", &entry.path, error)),
        }
    }

    /// Makes the missing folders of a path, one by one.
    fn make_folders(&mut self, entry: &Entry, path: &[u8]) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let mut at = open_in_root(&self.root, b"", flags)
            .map_err(|error| self.io("open", &entry.path, error))?;
        let ends = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i);
        let mut start = 0;
        for end in ends.chain([path.len()]) {
            let (name, prefix) = (&path[start..end], &path[..end]);
            start = end + 1;
            match open_in_root(&self.root, prefix, flags) {
                Ok(fd) => at = fd,
                Err(Errno::NOENT) => {
                    self.entries += 1;
                    match rustix::fs::mkdirat(&at, name, Mode::RWXU) {
                        Ok(()) => {}
                        Err(Errno::EXIST) => {
                            return Err(
                                self.refused(entry, "it lies behind a link that leads nowhere")
                            );
                        }
                        Err(error) => return Err(self.io("create", &entry.path, error)),
                    }
                    at = self
                        .dress_made(&at, name)
                        .map_err(|error| self.io("create", &entry.path, error))?;
                }
                Err(Errno::NOTDIR) => {
                    return Err(self.refused(entry, "it lies below something that is no folder"));
                }
                Err(error) => return Err(self.io("open", &entry.path, error)),
            }
        }
        Ok(at)
    }

    /// Owner and mode of a folder that was just made, whatever has its name by now: a container that runs may have put a link there.
    fn dress_made(&self, at: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(at, name, flags, Mode::empty())?;
        if let Some(id) = self.owner {
            rustix::fs::fchown(&made, Some(Uid::from_raw(id)), Some(Gid::from_raw(id)))?;
        }
        // The umask of the caller is nobody's wish for an image.
        rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
        Ok(made)
    }

    /// Clears the way for an entry: of two with one name the last wins, as with tar.
    fn clear(&mut self, entry: &Entry, folder: impl AsFd, name: &[u8]) -> Result<()> {
        let stat = match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat.map_err(|error| self.io("replace", &entry.path, error))?,
        };
        // A folder remembered under a path through what goes away now must be looked up again.
        self.folder = None;
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match rustix::fs::unlinkat(&folder, name, flags) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                Err(self.refused(entry, "it takes the place of a folder that is not empty"))
            }
            Err(error) => Err(self.io("replace", &entry.path, error)),
            Ok(()) => Ok(()),
        }
    }

    fn directory(&mut self, entry: &Entry, folder: impl AsFd, name: &[u8]) -> Result<()> {
        let there = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_folder =
            there.is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Directory);
        if !is_folder {
            self.clear(entry, &folder, name)?;
            rustix::fs::mkdirat(&folder, name, Mode::RWXU)
                .map_err(|error| self.io("create", &entry.path, error))?;
        }
        self.remember(entry)
    }

    /// Keeps a folder's attributes for the end.
    fn remember(&mut self, entry: &Entry) -> Result<()> {
        let xattrs = &entry.meta.xattrs;
        let size = entry.path.as_bytes().len()
            + std::mem::size_of::<(EntryPath, Meta)>()
            + xattrs.iter().map(|(key, value)| key.len() + value.len() + 48).sum::<usize>();
        self.folder_memory += size;
        if self.folder_memory > FOLDER_MEMORY {
            return Err(self.refused(entry, "there are too many folders"));
        }
        self.folders.insert(entry.path.clone(), entry.meta.clone());
        Ok(())
    }

    fn file(
        &mut self,
        entry: &Entry,
        shape: &Shape,
        (folder, name): (impl AsFd, &[u8]),
        data: &mut dyn Read,
    ) -> Result<()> {
        self.bytes = self.bytes.saturating_add(shape.size);
        if self.bytes > self.quota.bytes {
            let most = self.quota.bytes;
            return Err(
                self.refused(entry, format!("the files are larger than {most} bytes in all"))
            );
        }
        self.clear(entry, &folder, name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = rustix::fs::openat(&folder, name, flags | OFlags::CLOEXEC, mode)
            .map_err(|error| self.io("create", &entry.path, error))?;
        let file = self.fill(entry, shape, fd.into(), data)?;
        let user = if self.rootless { 0o400 } else { 0 };
        self.dress(file, &entry.path, &entry.meta, user)
    }

    fn fill(
        &mut self,
        entry: &Entry,
        shape: &Shape,
        mut file: File,
        data: &mut dyn Read,
    ) -> Result<File> {
        let mut end = 0;
        for segment in &shape.segments {
            if segment.offset != end {
                file.seek(SeekFrom::Start(segment.offset))
                    .map_err(|error| self.write_error(entry, &error))?;
            }
            end = segment.offset + segment.length;
            let mut left = segment.length;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                let got = match data.read(&mut self.buffer[..most]) {
                    Ok(0) => return Err(Error::Damaged("it ends too early".into())),
                    Ok(got) => got,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(crate::archive::compress::input_error(error)),
                };
                file.write_all(&self.buffer[..got])
                    .map_err(|error| self.write_error(entry, &error))?;
                left -= got as u64;
            }
        }
        if end != shape.size {
            file.set_len(shape.size).map_err(|error| self.write_error(entry, &error))?;
        }
        Ok(file)
    }

    fn write_error(&self, entry: &Entry, error: &io::Error) -> Error {
        let number = Errno::from_io_error(error).unwrap_or(Errno::IO);
        self.io("write", &entry.path, number)
    }

    fn symlink(
        &mut self,
        entry: &Entry,
        target: &[u8],
        folder: impl AsFd,
        name: &[u8],
    ) -> Result<()> {
        self.clear(entry, &folder, name)?;
        rustix::fs::symlinkat(target, &folder, name)
            .map_err(|error| self.io("create", &entry.path, error))?;
        self.dress_by_name(entry, folder, name)
    }

    fn fifo(&mut self, entry: &Entry, folder: impl AsFd, name: &[u8]) -> Result<()> {
        self.clear(entry, &folder, name)?;
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(&folder, name, FileType::Fifo, mode, 0)
            .map_err(|error| self.io("create", &entry.path, error))?;
        self.dress_by_name(entry, &folder, name)?;
        // Never through a link that a container has put in its place meanwhile; a fifo can't be opened without waiting for others.
        let mode = Mode::from_raw_mode(entry.meta.mode & 0o7777);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&folder, name, flags, Mode::empty())
            .and_then(|fd| rustix::fs::chmod(format!("/proc/self/fd/{}", fd.as_raw_fd()), mode))
            .map_err(|error| self.io("set the mode of", &entry.path, error))
    }

    fn hard_link(
        &mut self,
        entry: &Entry,
        target: &EntryPath,
        folder: impl AsFd,
        name: &[u8],
    ) -> Result<()> {
        if self.special.contains(target) {
            return self.leave_out(entry, "a link to something that was left out");
        }
        let Some((target_folder, target_name)) = target.split() else {
            return Err(self.refused(entry, "it links to the root"));
        };
        let target_folder = self.open_folder(entry, target_folder, false)?;
        let stat = rustix::fs::statat(&target_folder, target_name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = match stat {
            Err(Errno::NOENT) => {
                let target = printable(target.as_bytes());
                return Err(
                    self.refused(entry, format!("it links to `{target}`, which is not there"))
                );
            }
            stat => stat.map_err(|error| self.io("link", &entry.path, error))?,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(self.refused(entry, "it links to a folder"));
        }
        let there = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino)) {
            return Ok(());
        }
        self.clear(entry, &folder, name)?;
        rustix::fs::linkat(&target_folder, target_name, &folder, name, AtFlags::empty())
            .map_err(|error| self.io("link", &entry.path, error))
    }

    /// Owner and times of what cannot be opened.
    fn dress_by_name(&mut self, entry: &Entry, folder: impl AsFd, name: &[u8]) -> Result<()> {
        let meta = &entry.meta;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        let owned = if self.rootless {
            Ok(())
        } else {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            rustix::fs::chownat(&folder, name, Some(uid), Some(gid), nofollow)
        };
        owned
            .and_then(|()| rustix::fs::utimensat(&folder, name, &meta.times(), nofollow))
            .map_err(|error| self.io("set the owner of", &entry.path, error))?;
        if !meta.xattrs.is_empty() {
            self.notes.add(entry.path.as_bytes(), "its extended attributes were left out");
        }
        Ok(())
    }

    /// All attributes of an open file or folder. `user`: permission bits that its owner, the caller, must have.
    fn dress(&mut self, fd: impl AsFd, path: &EntryPath, meta: &Meta, user: u32) -> Result<()> {
        let fd = fd.as_fd();
        let failed = |this: &Self, error| this.io("set the attributes of", path, error);
        if !self.rootless {
            let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
            rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(|error| failed(self, error))?;
        }
        // After the owner, whose change clears capabilities and set-id bits.
        for (key, value) in &meta.xattrs {
            match rustix::fs::fsetxattr(fd, &key[..], value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(
                    Errno::OPNOTSUPP | Errno::PERM | Errno::INVAL | Errno::RANGE | Errno::TOOBIG,
                ) => {
                    let key = printable(key);
                    let what = format!("its attribute {key} cannot be set here and was left out");
                    self.notes.add(path.as_bytes(), what);
                }
                Err(error) => return Err(failed(self, error)),
            }
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode((meta.mode | user) & 0o7777))
            .and_then(|()| rustix::fs::futimens(fd, &meta.times()))
            .map_err(|error| failed(self, error))
    }
}
