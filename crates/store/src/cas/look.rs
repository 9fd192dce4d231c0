//! Looking at what is stored: which trees there are, what they take, what they share, what is in them. Changes nothing.

use super::name::shown;
use super::refs::Found;
use super::tree::{Tree, each_node};
use super::{Cas, Pointer, RefKind, Standing};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Content, Node, NodeKind};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// The most pairs of trees that are told apart.
const PAIRS: usize = 1000;

/// A name with its tree.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTree {
    /// What people write for it.
    pub name: String,
    /// `images`, `manifests`, `registry` or `snapshots`.
    pub kind: &'static str,
    /// Its manifest.
    pub tree: Digest,
    /// The sizes of its files together, in bytes; none where its manifest is broken or missing.
    pub size: Option<u64>,
    /// How many entries it has.
    pub entries: Option<u64>,
    /// When it was stored.
    pub created: Option<Timestamp>,
    /// The folder it was made of.
    pub source: Option<PathBuf>,
}

/// What the store has and what that takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// Names of trees.
    pub refs: u64,
    /// Different trees that have names.
    pub trees: u64,
    /// The sizes of the files of all named trees, each counted for itself, in bytes.
    pub logical: u64,
    /// Objects.
    pub objects: u64,
    /// The sizes of all objects together, in bytes.
    pub stored: u64,
    /// What they take on disk, in bytes.
    pub on_disk: u64,
    /// Named trees that can't be read.
    pub broken: u64,
    /// Objects in quarantine.
    pub quarantined: u64,
    /// Of the objects, those that are blobs of registries, kept as they are.
    pub blobs: u64,
    /// Their sizes together, in bytes.
    pub blob_bytes: u64,
}

/// What the trees share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dedup {
    /// Different trees that have names.
    pub trees: u64,
    /// The sizes of their files, each tree counted for itself, in bytes.
    pub logical: u64,
    /// The sizes of their different contents, in bytes.
    pub once: u64,
    /// By pair of trees, those that share most first.
    pub pairs: Vec<Shared>,
}

/// What two trees share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// A name of the one.
    pub a: String,
    /// A name of the other.
    pub b: String,
    /// How many different contents are in both.
    pub files: u64,
    /// The sizes of these, in bytes.
    pub bytes: u64,
}

/// An entry of a tree, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct TreeEntry {
    /// Its path, bytes that can't be shown as `\xHH`; the root is `/`.
    pub path: String,
    /// `folder`, `file`, `link`, `pipe`, `character device` or `block device`.
    pub kind: &'static str,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Of a file, in bytes.
    pub size: Option<u64>,
    /// When it last changed.
    pub modified: Option<Timestamp>,
    /// Of a link.
    pub target: Option<String>,
    /// Of a file.
    pub digest: Option<Digest>,
    /// The entry that it is another name of.
    pub same_as: Option<String>,
}

impl Cas {
    /// All names, sorted by kind and name.
    pub fn list(&self) -> Result<Vec<NamedTree>> {
        let mut known: HashMap<Digest, Option<(u64, u64)>> = HashMap::new();
        let mut all = Vec::new();
        for named in self.refs().all()? {
            let seen = known.entry(named.tree).or_insert_with(|| self.measure(&named.tree).ok());
            all.push(NamedTree {
                name: named.shown(),
                kind: named.kind.folder(),
                tree: named.tree,
                size: seen.map(|(size, _)| size),
                entries: seen.map(|(_, entries)| entries),
                created: named.created,
                source: named.source,
            });
        }
        Ok(all)
    }

    /// What there is and what it takes.
    pub fn status(&self) -> Result<Status> {
        let mut status = Status::default();
        let mut trees = HashSet::new();
        for named in self.list()? {
            status.refs += 1;
            if trees.insert(named.tree) {
                status.trees += 1;
                status.logical += named.size.unwrap_or(0);
                status.broken += u64::from(named.size.is_none());
            }
        }
        let objects = self.objects();
        objects.each(&mut |digest| {
            use std::os::unix::fs::MetadataExt;
            if let Ok(data) = std::fs::metadata(objects.path(&digest)) {
                status.objects += 1;
                status.stored += data.len();
                status.on_disk += data.blocks() * 512;
            }
            Ok(())
        })?;
        let blobs = self.refs().all()?.into_iter().flat_map(|named| named.blobs);
        let sizes: HashMap<Digest, u64> = blobs.map(|blob| (blob.object, blob.size)).collect();
        status.blobs = sizes.len() as u64;
        status.blob_bytes = sizes.values().sum();
        status.quarantined = crate::images::entries(&self.quarantine())?.len() as u64;
        Ok(status)
    }

    /// What is stored once in place of many times.
    pub fn dedup(&self) -> Result<Dedup> {
        let mut dedup = Dedup::default();
        let mut names: Vec<(String, Digest)> = Vec::new();
        let mut contents: HashMap<Digest, (u64, Vec<u32>)> = HashMap::new();
        let objects = self.objects();
        for named in self.refs().all()? {
            if names.iter().any(|(_, tree)| *tree == named.tree) {
                continue;
            }
            let number = u32::try_from(names.len()).unwrap_or(u32::MAX);
            each_node(&objects, &named.tree, &mut |node| {
                if let NodeKind::File(Content { size, digest, .. }) = node.kind {
                    dedup.logical += size;
                    let (_, trees) = contents.entry(digest).or_insert((size, Vec::new()));
                    if trees.last() != Some(&number) {
                        trees.push(number);
                    }
                }
            })?;
            names.push((named.shown(), named.tree));
        }
        dedup.trees = names.len() as u64;
        // Most contents are in the same trees as many others.
        let mut together: HashMap<Vec<u32>, (u64, u64)> = HashMap::new();
        for (size, trees) in contents.into_values() {
            dedup.once += size;
            let (files, bytes) = together.entry(trees).or_default();
            (*files, *bytes) = (*files + 1, *bytes + size);
        }
        let mut pairs: HashMap<(u32, u32), (u64, u64)> = HashMap::new();
        for (trees, (files, bytes)) in together {
            for (index, a) in trees.iter().enumerate() {
                for b in &trees[index + 1..] {
                    let pair = pairs.entry((*a, *b)).or_default();
                    (pair.0, pair.1) = (pair.0 + files, pair.1 + bytes);
                }
            }
        }
        let name = |number: u32| names[number as usize].0.clone();
        let shared = |((a, b), (files, bytes))| Shared { a: name(a), b: name(b), files, bytes };
        dedup.pairs = pairs.into_iter().map(shared).collect();
        dedup.pairs.sort_by(|x, y| (y.bytes, &x.a, &x.b).cmp(&(x.bytes, &y.a, &y.b)));
        dedup.pairs.truncate(PAIRS);
        Ok(dedup)
    }

    /// The trees that have names other than those of images.
    pub fn named_beside_images(&self) -> Result<Vec<Digest>> {
        let named = self.refs().all()?.into_iter().filter(|named| named.kind != RefKind::Images);
        Ok(named.map(|named| named.tree).collect())
    }

    /// The sizes of the different contents of trees that none of the others has, in bytes. A tree that can't be read has none.
    #[must_use]
    pub fn weigh(&self, trees: &[Digest], others: &[Digest]) -> u64 {
        let contents = |trees: &[Digest]| {
            let mut all: HashMap<Digest, u64> = HashMap::new();
            for tree in trees.iter().collect::<HashSet<_>>() {
                for (_, content) in self.tree(tree).iter().flat_map(Tree::contents) {
                    all.insert(content.digest, content.size);
                }
            }
            all
        };
        let others = contents(others);
        let mut own = contents(trees);
        own.retain(|digest, _| !others.contains_key(digest));
        own.values().sum()
    }

    /// The names of what has an object: refs, and those who stand on trees.
    pub fn touched_by(&self, object: &Digest, standing: &Standing) -> Result<Vec<String>> {
        let refs = self.refs().all()?;
        let keeps = |named: &&Found| named.blobs.iter().any(|b| b.object == *object);
        let keeping: Vec<String> = refs.iter().filter(keeps).map(Found::shown).collect();
        let named = refs.into_iter().map(|named| (named.shown(), named.tree));
        let has = |tree: &Digest| {
            let is_in = |tree: Tree| tree.contents().any(|(_, content)| content.digest == *object);
            tree == object || self.tree(tree).is_ok_and(is_in)
        };
        let all = named.chain(standing.iter().cloned());
        Ok(all.filter(|(_, tree)| has(tree)).map(|(name, _)| name).chain(keeping).collect())
    }

    /// What is in a folder of a tree, or the entry itself where it is none; all below it where `recursive`.
    pub fn ls(&self, tree: &Pointer, path: &str, recursive: bool) -> Result<Vec<TreeEntry>> {
        let tree = self.named_tree(tree)?;
        let folder = tree.find(path, false)?;
        Ok(match folder.kind {
            NodeKind::Directory if recursive => {
                tree.below(&folder.path).map(|node| entry(&tree, node)).collect()
            }
            NodeKind::Directory => {
                tree.children(&folder.path).map(|node| entry(&tree, node)).collect()
            }
            _ => vec![entry(&tree, folder)],
        })
    }

    /// The digest of the tree that is meant.
    pub fn resolve(&self, pointer: &Pointer) -> Result<Digest> {
        if let Some(tree) = pointer.tree {
            return if self.objects().has(&tree)? {
                Ok(tree)
            } else {
                Err(Error::NoTree(pointer.to_string()))
            };
        }
        self.meant_ref(pointer).map(|named| named.tree)
    }

    /// The ref that is meant by a name.
    pub(crate) fn meant_ref(&self, pointer: &Pointer) -> Result<Found> {
        let mut refs = self.refs().all()?;
        let kinds: Vec<RefKind> =
            pointer.kind.map_or(RefKind::SEARCHED.to_vec(), |kind| vec![kind]);
        // The tag of an image may be left out as elsewhere.
        let is_meant = |kind, name: &str| {
            let latest = name.strip_suffix(":latest").unwrap_or(name);
            name == pointer.name || (kind == RefKind::Images && latest == pointer.name)
        };
        let found = kinds.iter().find_map(|kind| {
            refs.iter().position(|named| named.kind == *kind && is_meant(*kind, &named.name))
        });
        found.map(|at| refs.swap_remove(at)).ok_or_else(|| Error::NoTree(pointer.to_string()))
    }

    pub(super) fn named_tree(&self, pointer: &Pointer) -> Result<Tree> {
        self.tree(&self.resolve(pointer)?)
    }

    /// Size and number of entries of a tree.
    fn measure(&self, tree: &Digest) -> Result<(u64, u64)> {
        let (mut size, mut entries) = (0, 0);
        each_node(&self.objects(), tree, &mut |node| {
            entries += 1;
            if let NodeKind::File(content) = node.kind {
                size += content.size;
            }
        })?;
        Ok((size, entries))
    }
}

fn entry(tree: &Tree, node: &Node) -> TreeEntry {
    let real = tree.real(node);
    let (size, digest) = match &real.kind {
        NodeKind::File(content) => (Some(content.size), Some(content.digest)),
        _ => (None, None),
    };
    let target = match &real.kind {
        NodeKind::Symlink(target) => Some(super::name::escape(target)),
        _ => None,
    };
    let nanoseconds = i32::try_from(real.meta.mtime.nanoseconds).unwrap_or(0);
    TreeEntry {
        path: shown(&node.path),
        kind: kind(&real.kind),
        mode: real.meta.mode,
        uid: real.meta.uid,
        gid: real.meta.gid,
        size,
        modified: Timestamp::new(real.meta.mtime.seconds, nanoseconds).ok(),
        target,
        digest,
        same_as: matches!(node.kind, NodeKind::Link(_)).then(|| shown(&real.path)),
    }
}

/// What an entry is, in words.
pub(super) fn kind(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Directory => "folder",
        NodeKind::File(_) => "file",
        NodeKind::Symlink(_) => "link",
        NodeKind::Link(_) => "name",
        NodeKind::Fifo => "pipe",
        NodeKind::Char(_) => "character device",
        NodeKind::Block(_) => "block device",
    }
}
