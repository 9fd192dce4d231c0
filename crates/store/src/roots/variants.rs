//! Objects with the attributes of files, for roots of hard links.

use super::escaped;
use crate::cas::Objects;
use crate::cas::unescape;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Content, Node, NodeKind};
use crate::tree::{Meta, Segment};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use volt_host::files;

/// The piece in which contents are copied, in bytes.
const PIECE: usize = 256 << 10;

/// The variants of one store.
#[derive(Debug, Clone)]
pub(super) struct Variants {
    dir: PathBuf,
}

impl Variants {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Begins to make those that a tree needs, in `drafts`.
    pub(super) fn making<'a>(&'a self, objects: &'a Objects, drafts: &'a Path) -> Making<'a> {
        let (made, times) = (Vec::new(), HashMap::new());
        Making { variants: self, objects, drafts: Some(drafts), made, times }
    }

    /// Begins to copy what a tree needs, sharing no file with anybody.
    pub(super) fn copying<'a>(&'a self, objects: &'a Objects) -> Making<'a> {
        let (made, times) = (Vec::new(), HashMap::new());
        Making { variants: self, objects, drafts: None, made, times }
    }

    /// Takes those away that these files of a root are.
    pub(super) fn forget(&self, root: &Path, files: &[String]) -> Result<()> {
        let inode = |path: &Path| fs::symlink_metadata(path).map(|data| data.ino()).ok();
        let bad: Vec<u64> = files
            .iter()
            .filter_map(|file| inode(&root.join(OsStr::from_bytes(&unescape(file)))))
            .collect();
        for folder in crate::images::entries(&self.dir)? {
            for path in crate::images::entries(&folder)? {
                if inode(&path).is_some_and(|inode| bad.contains(&inode)) {
                    volt_host::files::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Takes away those that have no other name: no root has them.
    pub(super) fn sweep(&self) -> Result<u64> {
        let mut count = 0;
        for folder in crate::images::entries(&self.dir)? {
            for path in crate::images::entries(&folder)? {
                // A root that comes by right now makes it again where it is gone; another sweep may have been first.
                if fs::symlink_metadata(&path).is_ok_and(|data| data.nlink() == 1) {
                    count += u64::from(files::remove_file(&path)?);
                }
            }
        }
        Ok(count)
    }

    fn path(&self, key: &Digest) -> PathBuf {
        let hex = key.hex();
        self.dir.join(&hex[..2]).join(&hex)
    }
}

/// Makes variants that are missing.
pub(super) struct Making<'a> {
    variants: &'a Variants,
    objects: &'a Objects,
    /// Where they are made; none where everything is a copy.
    drafts: Option<&'a Path>,
    made: Vec<Digest>,
    /// How often the tree has had each so far, by the first bytes of its key. What is equal in a tree but not one file there
    /// must not become one, so its second has a variant of its own.
    times: HashMap<u64, u32>,
}

/// Variants that are made and are yet to take their places.
pub(super) struct Made<'a> {
    drafts: Option<&'a Path>,
    made: Vec<Digest>,
}

impl<'a> Making<'a> {
    /// Puts a file into a folder: another name of the variant that has its contents and attributes.
    pub(super) fn put(
        &mut self,
        node: &Node,
        content: &Content,
        (folder, name): (&OwnedFd, &[u8]),
    ) -> Result<()> {
        let Some(drafts) = self.drafts.filter(|_| content.size > 0 && !is_own(node)) else {
            // Programs that lock or fill an empty file are better off with one that is nobody else's.
            return self.fill(node, content, (folder, name));
        };
        let link = |from: &Path| {
            let flags = AtFlags::empty();
            rustix::fs::linkat(rustix::fs::CWD, from, folder, name, flags)
        };
        let (key, is_first) = self.key(node, content);
        let object = self.objects.path(&content.digest);
        if is_first && is_alike(&object, node, content) && link(&object).is_ok() {
            return Ok(());
        }
        let place = self.variants.path(&key);
        let found = match link(&place) {
            Err(Errno::NOENT) => link(&drafts.join(key.hex())),
            found => found,
        };
        match found {
            Err(Errno::NOENT) => {}
            // It has as many names as a file can have: this one goes without.
            Err(Errno::MLINK) => return self.fill(node, content, (folder, name)),
            found => return found.map_err(|error| Error::io("link", &place, error)),
        }
        self.fill(node, content, (folder, name))?;
        let draft = drafts.join(key.hex());
        let flags = AtFlags::empty();
        rustix::fs::linkat(folder, name, rustix::fs::CWD, &draft, flags)
            .map_err(|error| Error::io("link", &draft, error))?;
        self.made.push(key);
        Ok(())
    }

    /// What tells variants apart: contents, attributes, and how often the tree had it before; and whether it had not.
    fn key(&mut self, node: &Node, content: &Content) -> (Digest, bool) {
        let Meta { mode, uid, gid, mtime, xattrs } = &node.meta;
        let mut hasher = blake3::Hasher::new();
        hasher.update(content.digest.as_bytes());
        for number in [*mode, *uid, *gid, mtime.nanoseconds] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&mtime.seconds.to_le_bytes());
        hasher.update(&(xattrs.len() as u64).to_le_bytes());
        for bytes in xattrs.iter().flat_map(|(name, value)| [name, value]) {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        for segment in &content.segments {
            hasher.update(&segment.offset.to_le_bytes());
            hasher.update(&segment.length.to_le_bytes());
        }
        let first: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().expect("it has 32");
        let times = self.times.entry(u64::from_le_bytes(first)).or_default();
        *times += 1;
        hasher.update(&times.to_le_bytes());
        (hasher.finalize().into(), *times == 1)
    }

    /// To be called at the end.
    pub(super) fn finish(self) -> Made<'a> {
        Made { drafts: self.drafts, made: self.made }
    }

    /// Makes a file with contents and attributes.
    fn fill(
        &self,
        node: &Node,
        content: &Content,
        (folder, name): (&OwnedFd, &[u8]),
    ) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let failed = |error| failed(node, error);
        let file = rustix::fs::openat(folder, name, flags | OFlags::CLOEXEC, mode);
        let file = File::from(file.map_err(failed)?);
        if content.size > 0 {
            let object = self.objects.open(&content.digest)?;
            // A copy is nobody's to check later on, so it is read.
            let is_shared = self.drafts.is_some()
                && content.segments.is_empty()
                && rustix::fs::ioctl_ficlone(&file, &object).is_ok();
            if !is_shared {
                self.copy(content, object, &file).map_err(|error| match error {
                    Error::Output(error) => {
                        failed(Errno::from_io_error(&error).unwrap_or(Errno::IO))
                    }
                    other => other,
                })?;
            }
        }
        dress(&file, node)
    }

    /// Copies an object, holes and all, and sees whether it is what its name says.
    fn copy(&self, content: &Content, object: File, to: &File) -> Result<()> {
        let path = self.objects.path(&content.digest);
        let corrupt = || Error::Corrupt {
            path: path.clone(),
            reason: "its contents are not what its name says".into(),
        };
        let whole = [Segment { offset: 0, length: content.size }];
        let segments = if content.segments.is_empty() { &whole[..] } else { &content.segments };
        let mut input = object.take(content.size);
        let (mut at, mut hasher) = (0, blake3::Hasher::new());
        let mut piece = vec![0; PIECE];
        // What lies between the segments is read for its hash alone.
        let ends = segments
            .iter()
            .flat_map(|segment| [(segment.offset, false), (segment.offset + segment.length, true)]);
        for (end, is_data) in ends.chain([(content.size, false)]) {
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                let got = input
                    .read(&mut piece[..most])
                    .map_err(|error| Error::io("read", &path, error))?;
                if got == 0 {
                    return Err(corrupt());
                }
                hasher.update(&piece[..got]);
                if is_data {
                    to.write_all_at(&piece[..got], at).map_err(Error::Output)?;
                }
                at += got as u64;
            }
        }
        to.set_len(content.size).map_err(Error::Output)?;
        if Digest::from(hasher.finalize()) == content.digest { Ok(()) } else { Err(corrupt()) }
    }
}

impl Made<'_> {
    /// Gives them their places; they are on disk.
    pub(super) fn publish(self, variants: &Variants) -> Result<()> {
        let Some(drafts) = self.drafts else { return Ok(()) };
        for key in self.made {
            let (draft, place) = (drafts.join(key.hex()), variants.path(&key));
            if let Some(folder) = place.parent() {
                files::create_dirs(folder, 0o700)?;
            }
            let Err(error) = fs::hard_link(&draft, &place) else { continue };
            // Another tree has made the same, or it has as many names as a file can have.
            if !matches!(Errno::from_io_error(&error), Some(Errno::EXIST | Errno::MLINK)) {
                return Err(Error::io("link", &place, error));
            }
        }
        Ok(())
    }
}

/// Whether a file below `etc`, which is a file of the root alone: some programs (cron) refuse what has another name.
fn is_own(node: &Node) -> bool {
    node.path.as_bytes().starts_with(b"etc/")
}

/// Whether an object has the attributes of a file itself.
fn is_alike(object: &Path, node: &Node, content: &Content) -> bool {
    let Ok(stat) = rustix::fs::lstat(object) else { return false };
    let meta = &node.meta;
    let is_alike = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777)
        == (meta.uid, meta.gid, meta.mode & 0o7777)
        && stat.st_mtime == meta.mtime.seconds
        && u32::try_from(stat.st_mtime_nsec) == Ok(meta.mtime.nanoseconds)
        && u64::try_from(stat.st_size) == Ok(content.size);
    is_alike && crate::tree::xattrs_of(object.as_os_str().as_bytes()).as_ref() == Ok(&meta.xattrs)
}

/// What everybody's own programs may not: give files away.
pub(super) fn is_rootless() -> bool {
    !rustix::process::geteuid().is_root()
}

/// The bits that whoever is not root needs to use what is theirs, and the others.
pub(super) fn mode_of(node: &Node) -> Mode {
    let own = match node.kind {
        _ if !is_rootless() => 0,
        NodeKind::Directory => 0o700,
        _ => 0o600,
    };
    Mode::from_raw_mode((node.meta.mode | own) & 0o7777)
}

/// Gives an open file or folder its attributes.
pub(super) fn dress(fd: impl AsFd, node: &Node) -> Result<()> {
    let (fd, meta) = (fd.as_fd(), &node.meta);
    if !is_rootless() {
        let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
        rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(|error| failed(node, error))?;
    }
    // After the owner, whose change clears capabilities and set-id bits.
    for (name, value) in &meta.xattrs {
        rustix::fs::fsetxattr(fd, &escaped(name)[..], value, XattrFlags::empty())
            .or_else(|error| attribute(node, name, error))?;
    }
    rustix::fs::fchmod(fd, mode_of(node))
        .and_then(|()| rustix::fs::futimens(fd, &meta.times()))
        .map_err(|error| failed(node, error))
}

/// An attribute that could not be set: what the file system doesn't hold is said in words. Whoever is not root goes without.
pub(super) fn attribute(node: &Node, name: &[u8], error: Errno) -> Result<()> {
    Err(match error {
        Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL if is_rootless() => return Ok(()),
        Errno::OPNOTSUPP | Errno::INVAL | Errno::RANGE | Errno::TOOBIG | Errno::NOSPC => {
            let name = crate::error::printable(name);
            let reason = format!("its attribute {name} can't be kept by this file system: {error}");
            Error::refused(node.path.as_bytes(), reason)
        }
        error => failed(node, error),
    })
}

pub(super) fn failed(node: &Node, error: Errno) -> Error {
    let path = PathBuf::from(crate::error::printable(node.path.as_bytes()));
    Error::io("create", &path, error)
}
