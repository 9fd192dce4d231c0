//! Reading a tree: every entry once, folders before what is in them, names in byte order.
//!
//! Holds one open folder at a time, however deep the tree: going back up opens the folder again by its path. What
//! changes or vanishes meanwhile is skipped; no mount below the root is entered.

use super::{
    Entry, EntryPath, Kind, Meta, SEGMENT_LIMIT, Segment, Segments, Shape, Time, keeps_xattr,
};
use crate::error::{Error, Result, printable};
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, SeekFrom, Stat, openat2};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Go on, into the folder where it is one.
    Descend,
    /// Leave out what is in this folder.
    Skip,
}

/// Something found in a tree.
pub(crate) struct Found<'a> {
    /// Where.
    pub(crate) path: EntryPath,
    /// What `stat` says; links are not followed.
    pub(crate) stat: Stat,
    /// Whether another file system is mounted here.
    pub(crate) is_mount: bool,
    folder: &'a OwnedFd,
    name: &'a CString,
}

struct Level {
    path: Vec<u8>,
    names: std::vec::IntoIter<CString>,
}

/// Visits the root and everything below it.
pub(crate) fn walk(root: &Path, visit: &mut dyn FnMut(&Found<'_>) -> Result<Flow>) -> Result<()> {
    let failed = |error| Error::io("read", root, error);
    let root_fd = super::open_root(root).map_err(failed)?;
    let device = rustix::fs::fstat(&root_fd).map_err(failed)?.st_dev;
    let mut folder = super::open_root(root).map_err(failed)?;
    let mut folder_path = Vec::new();
    let mut levels = vec![Level { path: Vec::new(), names: vec![c".".to_owned()].into_iter() }];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        if folder_path != level.path {
            folder = match open_folder(&root_fd, &level.path) {
                Ok(fd) => fd,
                // It went away while we were below it.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                    levels.pop();
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            folder_path.clone_from(&level.path);
        }
        let stat = match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat.map_err(failed)?,
        };
        let path = join(&level.path, name.to_bytes());
        let entry_path = if path.is_empty() {
            EntryPath::default()
        } else {
            EntryPath::parse(&path).map_err(|reason| Error::refused(&path, reason))?
        };
        let is_mount = stat.st_dev != device;
        let found = Found { path: entry_path, stat, is_mount, folder: &folder, name: &name };
        let flow = visit(&found)?;
        if flow == Flow::Descend && found.file_type() == FileType::Directory && !is_mount {
            match open_folder(&root_fd, &path) {
                Ok(fd) => {
                    let names = sorted_names(&fd).map_err(failed)?.into_iter();
                    folder_path.clone_from(&path);
                    folder = fd;
                    levels.push(Level { path, names });
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => {
                    let path = root.join(printable(&path));
                    return Err(Error::io("read", &path, error));
                }
            }
        }
    }
    Ok(())
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match (folder, name) {
        (_, b".") => folder.to_vec(),
        ([], name) => name.to_vec(),
        (folder, name) => [folder, b"/", name].concat(),
    }
}

fn open_folder(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { &b"."[..] } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

fn sorted_names(folder: &OwnedFd) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

impl Found<'_> {
    /// What it is.
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Whether it is what overlayfs puts where nothing is any more.
    pub(crate) fn is_whiteout(&self) -> bool {
        self.file_type() == FileType::CharacterDevice && self.stat.st_rdev == 0
    }

    /// An extended attribute of a file or folder, whether or not images keep it. Links are not followed.
    pub(crate) fn xattr(&self, name: &CStr) -> Result<Option<Vec<u8>>> {
        let mut value = Vec::with_capacity(4 << 10);
        match rustix::fs::lgetxattr(&self.reachable()[..], name, spare_capacity(&mut value)) {
            Ok(_) => Ok(Some(value)),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => Ok(None),
            Err(error) => {
                Err(Error::io("read", Path::new(&printable(self.path.as_bytes())), error))
            }
        }
    }

    /// A path that leads here, through the folder that is open.
    fn reachable(&self) -> Vec<u8> {
        let folder = format!("/proc/self/fd/{}/", self.folder.as_raw_fd());
        [folder.as_bytes(), self.name.to_bytes()].concat()
    }

    /// Removes it, where it is no folder.
    pub(crate) fn remove(&self) -> rustix::io::Result<()> {
        rustix::fs::unlinkat(self.folder, self.name, AtFlags::empty())
    }

    /// The entry it is, with the file to read its data from. Nothing when it has changed since it was found.
    pub(crate) fn read(&self) -> Result<Option<(Entry, SparseReader)>> {
        self.read_noting(&mut Vec::new())
    }

    /// The same; the names of attributes that are not kept go to `left_out`.
    pub(crate) fn read_noting(
        &self,
        left_out: &mut Vec<Vec<u8>>,
    ) -> Result<Option<(Entry, SparseReader)>> {
        match self.try_read(left_out) {
            Ok(read) => Ok(read),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
            Err(error) => {
                Err(Error::io("read", Path::new(&printable(self.path.as_bytes())), error))
            }
        }
    }

    fn try_read(
        &self,
        left_out: &mut Vec<Vec<u8>>,
    ) -> rustix::io::Result<Option<(Entry, SparseReader)>> {
        let mut data = SparseReader::default();
        let special = |what: &str| Kind::Special(format!("a {what}"));
        let kind = match self.file_type() {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(self.folder, self.name, flags, Mode::empty())?;
                let now = rustix::fs::fstat(&fd)?;
                if now.st_ino != self.stat.st_ino || now.st_dev != self.stat.st_dev {
                    return Ok(None);
                }
                let shape = shape(&fd, &now)?;
                data = SparseReader::new(fd.into(), shape.segments.clone());
                Kind::File(shape)
            }
            FileType::Directory => Kind::Directory,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(self.folder, self.name, Vec::new())?;
                Kind::Symlink(target.into_bytes())
            }
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => special("socket"),
            FileType::CharacterDevice => special("character device"),
            FileType::BlockDevice => special("block device"),
            FileType::Unknown => special("thing of unknown kind"),
        };
        let xattrs = match kind {
            Kind::Symlink(_) => Vec::new(),
            _ => xattrs(&self.reachable(), left_out)?,
        };
        let meta = Meta {
            mode: self.stat.st_mode & 0o7777,
            uid: self.stat.st_uid,
            gid: self.stat.st_gid,
            mtime: Time {
                seconds: self.stat.st_mtime,
                nanoseconds: u32::try_from(self.stat.st_mtime_nsec).unwrap_or(0),
            },
            xattrs,
        };
        Ok(Some((Entry { path: self.path.clone(), kind, meta }, data)))
    }
}

/// The attributes that images keep of what lies at a path, by name. Links are not followed.
pub(crate) fn xattrs_of(path: &[u8]) -> rustix::io::Result<Xattrs> {
    xattrs(path, &mut Vec::new())
}

/// Attributes with their values.
type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

fn xattrs(path: &[u8], left_out: &mut Vec<Vec<u8>>) -> rustix::io::Result<Xattrs> {
    let mut names = Vec::with_capacity(1024);
    loop {
        match rustix::fs::llistxattr(path, spare_capacity(&mut names)) {
            Ok(_) => break,
            Err(Errno::RANGE) => names = Vec::with_capacity(names.capacity() * 4),
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    }
    let mut all = Vec::new();
    for name in names.split(|b| *b == 0).filter(|name| !name.is_empty()) {
        if !keeps_xattr(name) {
            left_out.push(name.to_vec());
            continue;
        }
        let mut value = Vec::with_capacity(64 << 10);
        match rustix::fs::lgetxattr(path, name, spare_capacity(&mut value)) {
            Ok(_) => all.push((name.to_vec(), value)),
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    all.sort();
    Ok(all)
}

/// Where a file has data. A file without holes is one segment.
fn shape(fd: &OwnedFd, stat: &Stat) -> rustix::io::Result<Shape> {
    let size = stat.st_size.cast_unsigned();
    // Only a file with fewer blocks than bytes has holes worth looking for.
    if stat.st_blocks.cast_unsigned().saturating_mul(512) >= size {
        return Ok(Shape::dense(size));
    }
    let mut segments = Segments::default();
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(fd, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Shape::dense(size)),
            Err(error) => return Err(error),
        };
        let end = rustix::fs::seek(fd, SeekFrom::Hole(start))?.min(size);
        if start >= end {
            break;
        }
        segments.add(Segment { offset: start, length: end - start }, SEGMENT_LIMIT);
        at = end;
    }
    Ok(Shape { size, segments: segments.into_vec() })
}

/// The bytes of a file's segments, one after the other. What is missing when a file shrinks meanwhile is zeros.
#[derive(Debug, Default)]
pub(crate) struct SparseReader {
    file: Option<File>,
    segments: std::collections::VecDeque<Segment>,
    /// Whether the file became shorter while it was read.
    pub(crate) shrank: bool,
}

impl SparseReader {
    fn new(file: File, segments: Vec<Segment>) -> Self {
        Self { file: Some(file), segments: segments.into(), shrank: false }
    }
}

/// All bytes of a file, holes as zeros.
pub(crate) type DenseReader = Expand<SparseReader>;

impl DenseReader {
    /// Whether the file became shorter while it was read.
    pub(crate) fn shrank(&self) -> bool {
        self.data.shrank
    }
}

/// All bytes of a file, holes as zeros, out of the bytes of its segments.
pub(crate) struct Expand<R> {
    data: R,
    /// The segments that are still to come, the next at the end; what was read of it is cut off.
    segments: Vec<Segment>,
    at: u64,
    size: u64,
}

impl<R: Read> Expand<R> {
    /// The bytes of a file of this shape.
    pub(crate) fn new(data: R, shape: &Shape) -> Self {
        let segments = shape.segments.iter().rev().filter(|segment| segment.length > 0);
        Self { data, segments: segments.copied().collect(), at: 0, size: shape.size }
    }
}

impl<R: Read> Read for Expand<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.segments.last().map_or(self.size, |segment| segment.offset);
        if self.at < next {
            let hole = usize::try_from(next - self.at).unwrap_or(usize::MAX).min(buffer.len());
            buffer[..hole].fill(0);
            self.at += hole as u64;
            return Ok(hole);
        }
        let Some(segment) = self.segments.last_mut() else { return Ok(0) };
        let most = usize::try_from(segment.length).unwrap_or(usize::MAX).min(buffer.len());
        let got = self.data.read(&mut buffer[..most])?;
        if got == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += got as u64;
        segment.offset += got as u64;
        segment.length -= got as u64;
        if segment.length == 0 {
            self.segments.pop();
        }
        Ok(got)
    }
}

impl Read for SparseReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some(file), Some(segment)) = (&self.file, self.segments.front_mut()) else {
            return Ok(0);
        };
        let most = usize::try_from(segment.length).unwrap_or(usize::MAX).min(buffer.len());
        let mut got = file.read_at(&mut buffer[..most], segment.offset)?;
        if got == 0 && most > 0 {
            self.shrank = true;
            buffer[..most].fill(0);
            got = most;
        }
        segment.offset += got as u64;
        segment.length -= got as u64;
        if segment.length == 0 {
            self.segments.pop_front();
        }
        Ok(got)
    }
}
