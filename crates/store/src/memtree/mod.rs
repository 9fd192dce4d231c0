//! A tree of files in memory: what archives say one after the other, until it is whole and written as a manifest.
//!
//! Contents are elsewhere: a file has the digest of an object that was stored already, or is about to be. Names are resolved as
//! the tree itself would see them: symbolic links lead at most to its root, and nothing of the host is looked at. What can't be
//! in an image is left out or refused, and named; all of it is bounded before it is kept.
//!
//! An archive may be one of several layers: what a later one has goes before what earlier ones have, and its *whiteouts* take
//! away what they have (OCI image specification, "Image Layer Filesystem Changeset").
//!
//! `put`: entries of an archive; `layer`: whiteouts; `find`: names to entries; `attributes`: which extended attributes a file system would take;
//! `encode`: the manifest.

mod attributes;
mod encode;
mod find;
mod layer;
mod put;
#[cfg(test)]
mod tests;

pub(crate) use layer::is_whiteout;

use crate::manifest::Content;
use crate::tree::{EntryPath, Meta, Notes, Quota};
use std::collections::{BTreeMap, HashSet};

/// The most that names and attributes may take, in bytes.
const MEMORY: usize = 1 << 30;
/// What an entry takes beside its name and attributes, in bytes.
const ENTRY: usize = std::mem::size_of::<Inode>() + 64;
/// The most names of left-out entries that are remembered, to judge hard links to them.
const SPECIAL_LIMIT: usize = 100_000;
/// The number of the root.
const ROOT: Number = 0;

/// Which entry; several names may lead to one.
pub(crate) type Number = u32;

/// What a name leads to.
#[derive(Debug)]
struct Inode {
    kind: Kind,
    meta: Meta,
}

#[derive(Debug)]
enum Kind {
    Folder(Folder),
    File(Content),
    Symlink(Vec<u8>),
    Fifo,
}

#[derive(Debug, Default)]
struct Folder {
    names: BTreeMap<Box<[u8]>, Name>,
    above: Number,
    /// The length of its path, in bytes.
    length: usize,
}

/// What is under a name in a folder.
#[derive(Debug, Clone, Copy)]
struct Name {
    number: Number,
    /// The layer that put it there last.
    layer: u16,
}

/// A tree that is being put together.
#[derive(Debug)]
pub(crate) struct MemTree {
    inodes: Vec<Inode>,
    quota: Quota,
    memory: usize,
    entries: u64,
    bytes: u64,
    /// The folder of the last entry: archives keep a folder's entries together.
    last: Option<(Vec<u8>, Number)>,
    special: HashSet<EntryPath>,
    /// The layer that is being put, counted from 1; 0 where the tree has no layers.
    layer: u16,
    /// The folders in which this layer has left nothing of earlier ones.
    pruned: HashSet<Number>,
    is_root_known: bool,
    /// What was neutralised so far.
    pub(crate) notes: Notes,
}

impl MemTree {
    /// A tree with nothing but its root.
    pub(crate) fn new(quota: Quota) -> Self {
        let meta = Meta { mode: 0o755, ..Meta::default() };
        Self {
            inodes: vec![Inode { kind: Kind::Folder(Folder::default()), meta }],
            quota,
            memory: 0,
            entries: 0,
            bytes: 0,
            last: None,
            special: HashSet::new(),
            layer: 0,
            pruned: HashSet::new(),
            is_root_known: false,
            notes: Notes::default(),
        }
    }

    /// Says what is in a file that was put.
    pub(crate) fn fill(&mut self, file: Number, digest: crate::Digest) {
        if let Kind::File(content) = &mut self.inode_mut(file).kind {
            content.digest = digest;
        }
    }

    fn inode(&self, number: Number) -> &Inode {
        &self.inodes[number as usize]
    }

    fn inode_mut(&mut self, number: Number) -> &mut Inode {
        &mut self.inodes[number as usize]
    }

    fn folder(&self, number: Number) -> Option<&Folder> {
        match &self.inode(number).kind {
            Kind::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    fn folder_mut(&mut self, number: Number) -> Option<&mut Folder> {
        match &mut self.inode_mut(number).kind {
            Kind::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// What a name in a folder leads to.
    fn child(&self, folder: Number, name: &[u8]) -> Option<Number> {
        Some(self.folder(folder)?.names.get(name)?.number)
    }
}
