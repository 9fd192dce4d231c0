//! A tree as folders and files on disk, its files hard links to variants of objects.
//!
//! It is made in a folder that nobody else sees, from a manifest in which every entry's folder came before it, so that no name
//! leads through a link.

use super::erofs::Nodes;
use super::variants::{Made, Making, attribute, dress, failed, is_rootless, mode_of};
use crate::cas::shown;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Device, Node, NodeKind};
use crate::parallel;
use crate::tree::{EntryPath, open_in_root, open_root};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Makes the tree at `root`, which is empty or not there yet. `open` begins to read its manifest and is called twice.
pub(super) fn write<'a, N: Nodes>(
    open: &dyn Fn() -> Result<N>,
    root: &Path,
    making: Making<'a>,
) -> Result<Made<'a>> {
    let mut nodes = open()?;
    let mut linked = HashMap::new();
    while let Some(node) = nodes.next()? {
        if let NodeKind::Link(to) = node.kind {
            linked.insert(to, EntryPath::default());
        }
    }
    let mut nodes = open()?;
    // The decoder knows no tree without a root.
    let Some(first) = nodes.next()? else {
        return Err(Error::refused(b"", "the tree has no root"));
    };
    let mut tree = Tree::begin(first, root, (linked, making))?;
    while let Some(node) = nodes.next()? {
        tree.put(node)?;
    }
    tree.finish()
}

/// Whether a file has these contents.
pub(super) type IsGood<'a> = &'a (dyn Fn(&File, &Digest) -> bool + Sync);

/// Whether it has, by reading it. One that can't be read has not.
pub(super) fn has_contents(file: &File, digest: &Digest) -> bool {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).is_ok() && Digest::from(hasher.finalize()) == *digest
}

/// The files below `root` whose contents are not those of the tree, as people see their paths; what is missing is among them.
pub(super) fn check(
    mut nodes: impl Nodes,
    root: &Path,
    is_good: IsGood<'_>,
) -> Result<Vec<String>> {
    let fd = open_root(root).map_err(|error| Error::io("open", root, error))?;
    let mut files = Vec::new();
    while let Some(node) = nodes.next()? {
        if let NodeKind::File(content) = node.kind {
            files.push((content.size, content.digest, node.path));
        }
    }
    files.sort_unstable_by_key(|(size, ..)| std::cmp::Reverse(*size));
    let bad = parallel::find(&files, &|(_, digest, path)| {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = open_in_root(&fd, path.as_bytes(), flags).map(File::from);
        Ok(!file.is_ok_and(|file| is_good(&file, digest)))
    })?;
    let mut bad: Vec<String> = bad.into_iter().map(|(_, _, path)| shown(path)).collect();
    bad.sort_unstable();
    Ok(bad)
}

/// Puts files of one root into another of the same tree, each in one step: whoever reads there has the old one or the new one.
pub(super) fn replace(
    mut nodes: impl Nodes,
    (from, to): (&Path, &Path),
    files: &[String],
) -> Result<()> {
    let open = |path| open_root(path).map_err(|error| Error::io("open", path, error));
    let (from, to) = (open(from)?, open(to)?);
    let (mut folders, mut changed) = (HashMap::new(), HashSet::new());
    let (mut numbers, mut number) = (HashSet::new(), 0);
    while let Some(node) = nodes.next()? {
        let is_meant = match &node.kind {
            NodeKind::File(_) => files.contains(&shown(&node.path)),
            NodeKind::Link(to) => numbers.contains(to),
            _ => false,
        };
        if let (true, Some((above, name))) = (is_meant, node.path.split()) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let folder = |root| open_in_root(root, above, flags);
            folder(&from)
                .and_then(|from| rustix::fs::renameat(from, name, folder(&to)?, name))
                .map_err(|error| failed(&node, error))?;
            changed.insert(above.to_vec());
            numbers.insert(number);
        }
        number += 1;
        if node.kind == NodeKind::Directory {
            folders.insert(node.path.as_bytes().to_vec(), node);
        }
    }
    // What comes into a folder changes its times.
    for node in changed.iter().filter_map(|path| folders.get(path)) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = open_in_root(&to, node.path.as_bytes(), flags);
        dress(fd.map_err(|error| failed(node, error))?, node)?;
    }
    Ok(())
}

struct Tree<'a> {
    root: OwnedFd,
    /// The folder of the last entry.
    folder: (EntryPath, OwnedFd),
    /// The folders that get their attributes when all is in them.
    open: Vec<Node>,
    /// The paths of the entries that have other names, by number; the root's until they are made.
    linked: HashMap<u64, EntryPath>,
    count: u64,
    making: Making<'a>,
}

impl<'a> Tree<'a> {
    fn begin(
        node: Node,
        root: &Path,
        (linked, making): (HashMap<u64, EntryPath>, Making<'a>),
    ) -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("create", root, error);
        match fs::create_dir(root) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        let fd = open_root(root).map_err(|error| failed(error.into()))?;
        let folder = rustix::io::dup(&fd).map_err(|error| failed(error.into()))?;
        Ok(Self {
            root: fd,
            folder: (EntryPath::default(), folder),
            open: vec![node],
            linked,
            count: 1,
            making,
        })
    }

    fn put(&mut self, node: Node) -> Result<()> {
        let Some((above, name)) = node.path.split() else {
            return Err(Error::refused(b"", "the tree has two roots"));
        };
        while self.open.last().is_some_and(|open| open.path.as_bytes() != above) {
            self.close()?;
        }
        if self.folder.0.as_bytes() != above {
            let fd = open_in_root(&self.root, above, OFlags::RDONLY | OFlags::DIRECTORY)
                .map_err(|error| failed(&node, error))?;
            let path = self.open.last().map(|open| open.path.clone()).unwrap_or_default();
            self.folder = (path, fd);
        }
        let folder = &self.folder.1;
        let number = self.count;
        self.count += 1;
        match &node.kind {
            NodeKind::Directory => {
                rustix::fs::mkdirat(folder, name, Mode::RWXU)
                    .map_err(|error| failed(&node, error))?;
                self.open.push(node);
                return Ok(());
            }
            NodeKind::Link(to) => return self.link(&node, *to, name),
            NodeKind::File(content) => self.making.put(&node, content, (folder, name))?,
            NodeKind::Symlink(target) => {
                rustix::fs::symlinkat(&target[..], folder, name)
                    .map_err(|error| failed(&node, error))?;
                dress_by_name(&node, folder, name)?;
            }
            NodeKind::Fifo => special(&node, (FileType::Fifo, None), folder, name)?,
            NodeKind::Char(device) => {
                special(&node, (FileType::CharacterDevice, Some(*device)), folder, name)?;
            }
            NodeKind::Block(device) => {
                special(&node, (FileType::BlockDevice, Some(*device)), folder, name)?;
            }
        }
        if let Some(path) = self.linked.get_mut(&number) {
            *path = node.path;
        }
        Ok(())
    }

    fn link(&self, node: &Node, to: u64, name: &[u8]) -> Result<()> {
        let Some((above, target)) = self.linked.get(&to).and_then(EntryPath::split) else {
            return Err(Error::refused(
                node.path.as_bytes(),
                "it is another name of what has none",
            ));
        };
        open_in_root(&self.root, above, OFlags::PATH | OFlags::DIRECTORY)
            .and_then(|from| {
                rustix::fs::linkat(from, target, &self.folder.1, name, AtFlags::empty())
            })
            .map_err(|error| failed(node, error))
    }

    /// Gives the innermost open folder its attributes.
    fn close(&mut self) -> Result<()> {
        let Some(node) = self.open.pop() else { return Ok(()) };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let fd = open_in_root(&self.root, node.path.as_bytes(), flags)
            .map_err(|error| failed(&node, error))?;
        dress(fd, &node)
    }

    fn finish(mut self) -> Result<Made<'a>> {
        while !self.open.is_empty() {
            self.close()?;
        }
        Ok(self.making.finish())
    }
}

fn special(
    node: &Node,
    (kind, device): (FileType, Option<Device>),
    folder: &OwnedFd,
    name: &[u8],
) -> Result<()> {
    let number = device.map_or(0, |device| rustix::fs::makedev(device.major, device.minor));
    rustix::fs::mknodat(folder, name, kind, Mode::RUSR, number)
        .map_err(|error| failed(node, error))?;
    dress_by_name(node, folder, name)
}

/// Gives what can't be opened its attributes.
fn dress_by_name(node: &Node, folder: &OwnedFd, name: &[u8]) -> Result<()> {
    let meta = &node.meta;
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    if !is_rootless() {
        let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
        rustix::fs::chownat(folder, name, Some(uid), Some(gid), nofollow)
            .map_err(|error| failed(node, error))?;
    }
    let path = [format!("/proc/self/fd/{}/", folder.as_raw_fd()).as_bytes(), name].concat();
    for (key, value) in &meta.xattrs {
        rustix::fs::lsetxattr(&path[..], &super::escaped(key)[..], value, XattrFlags::empty())
            .or_else(|error| attribute(node, key, error))?;
    }
    if !matches!(node.kind, NodeKind::Symlink(_)) {
        rustix::fs::chmodat(folder, name, mode_of(node), AtFlags::empty())
            .map_err(|error| failed(node, error))?;
    }
    rustix::fs::utimensat(folder, name, &meta.times(), nofollow)
        .map_err(|error| failed(node, error))
}
