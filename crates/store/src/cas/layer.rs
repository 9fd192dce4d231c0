//! A container's writable layer over the tree that it lies on, as one tree: what overlayfs shows, without a mount.
//!
//! In a writable layer overlayfs notes: by a device 0:0, that there is nothing any more; by `trusted.overlay.opaque`, that
//! nothing shows through a folder; by `…redirect`, what a folder or file is called in the tree below; by `…metacopy`, that a
//! file is its attributes only, and its contents are those of the file below. So only what lies in the layer is read; all else
//! is what the manifest of the tree below says. Owners are as the container sees them: on disk its ids begin at 0.

use super::build::{BuildOptions, Gathered, sync};
use super::tree::Tree;
use super::{Cas, Lease};
use crate::digest::Digest;
use crate::error::{Error, Result, printable};
use crate::manifest::{Content, Device, Node, NodeKind};
use crate::progress::Progress;
use crate::tree::{EntryPath, Found, Notes, PATH_LIMIT, Quota};
use rustix::fs::FileType;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// What says that there is nothing any more.
pub(super) const NOTHING: NodeKind = NodeKind::Char(Device { major: 0, minor: 0 });

/// What a container wrote.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    /// The tree that the layer lies on; none where the folder is the whole root.
    pub below: Option<Digest>,
    /// The folder, which nobody changes while it is still.
    pub dir: &'a Path,
    /// Who keeps it still.
    pub keeper: &'a dyn Keeper,
    /// The most that the files in it may be together, in bytes; holes count, since they are hashed.
    pub limit: u64,
}

impl std::fmt::Debug for Layer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Layer({})", self.dir.display())
    }
}

/// Keeps a folder as it is while it is read. What was begun is ended, whether or not the reading went well.
pub trait Keeper {
    /// From here on nobody changes it.
    fn begin(&self) -> Result<()>;

    /// It may be changed again.
    ///
    /// # Errors
    /// When it may have been changed meanwhile.
    fn end(&self) -> Result<()>;
}

/// For what nobody needs to keep still.
#[derive(Debug, Clone, Copy)]
pub struct Unkept;

impl Keeper for Unkept {
    fn begin(&self) -> Result<()> {
        Ok(())
    }

    fn end(&self) -> Result<()> {
        Ok(())
    }
}

/// A layer that was read, with what lies below it.
pub(crate) struct Read {
    /// The entries of the whole tree.
    pub(crate) nodes: Vec<Node>,
    /// The sizes of the files in the layer, in bytes.
    pub(crate) size: u64,
    /// Of these, what was not in the store before.
    pub(crate) new: u64,
    /// What was left out.
    pub(crate) notes: Notes,
}

impl Cas {
    /// Reads a layer, and stores what is in its files where there is a lease. The tree below must be wanted by somebody.
    pub(crate) fn read_layer(
        &self,
        lease: Option<&Lease>,
        layer: &Layer<'_>,
        progress: &dyn Progress,
    ) -> Result<Read> {
        let below = layer.below.map(|digest| self.tree(&digest)).transpose()?;
        let quota = Quota { bytes: layer.limit, entries: u64::MAX };
        let is_layer = below.is_some();
        let options =
            BuildOptions { quota, devices: false, layer: is_layer, ..BuildOptions::default() };
        if lease.is_some() {
            // To remember what is in it takes that; most of it while nobody has to stand still.
            sync(layer.dir)?;
        }
        layer.keeper.begin()?;
        let read = self.gather(lease, layer.dir, &options, progress);
        let ended = layer.keeper.end();
        let Gathered { nodes, marks, size, new, notes, .. } = read?;
        ended?;
        let nodes = match &below {
            Some(below) => merge(below, &nodes, &marks)?,
            None => owned_by_root(nodes),
        };
        if let Some(lease) = lease.filter(|_| below.is_some()) {
            self.count_on(lease, &nodes)?;
        }
        Ok(Read { nodes, size, new, notes })
    }

    /// Counts on what is in these files. Whoever wanted the tree below until now may come to stand on another one.
    fn count_on(&self, lease: &Lease, nodes: &[Node]) -> Result<()> {
        let files = || {
            nodes.iter().filter_map(|node| match &node.kind {
                NodeKind::File(content) => Some((node, content)),
                _ => None,
            })
        };
        let wanted: Vec<_> = files().map(|(_, content)| (content.digest, content.size)).collect();
        let missing = self.objects().pin_all(lease, &wanted)?;
        let lost = files().find(|(_, content)| missing.contains(&content.digest));
        lost.map_or(Ok(()), |(node, content)| {
            let (object, entry) = (content.digest, super::name::shown(&node.path));
            let more = missing.len() as u64 - 1;
            Err(Error::BadObject { object, entry, problem: "is missing or cut short", more })
        })
    }
}

/// A root that is the caller's own: whose it is, is root inside.
fn owned_by_root(mut nodes: Vec<Node>) -> Vec<Node> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    for meta in nodes.iter_mut().map(|node| &mut node.meta) {
        meta.uid = if meta.uid == uid { 0 } else { meta.uid };
        meta.gid = if meta.gid == gid { 0 } else { meta.gid };
    }
    nodes
}

/// What overlayfs has noted at an entry of a writable layer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// Nothing of the folder below shows through.
    pub(super) is_opaque: bool,
    /// It has new attributes only.
    pub(super) is_metacopy: bool,
    /// Its name below, of the same folder; or its path there, behind a slash.
    pub(super) redirect: Option<Vec<u8>>,
}

impl Mark {
    /// That of an entry.
    pub(super) fn of(found: &Found<'_>) -> Result<Self> {
        let mut mark = Self::default();
        match found.file_type() {
            FileType::Directory => {
                mark.is_opaque = found.xattr(c"trusted.overlay.opaque")?.as_deref() == Some(b"y");
                mark.redirect = found.xattr(c"trusted.overlay.redirect")?;
            }
            FileType::RegularFile => {
                mark.is_metacopy = found.xattr(c"trusted.overlay.metacopy")?.is_some();
                if mark.is_metacopy {
                    mark.redirect = found.xattr(c"trusted.overlay.redirect")?;
                }
            }
            _ => {}
        }
        Ok(mark)
    }

    /// Where below an entry is looked for that has this name, in a folder that is that one below.
    fn place(&self, folder: Option<&[u8]>, name: &[u8]) -> Option<Vec<u8>> {
        match self.redirect.as_deref() {
            Some([b'/', path @ ..]) => Some(path.to_vec()),
            Some(name) => Some(joined(folder?, name)),
            None => Some(joined(folder?, name)),
        }
    }
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// The entries of a layer, as they were found, over those of the tree below.
pub(super) fn merge(
    below: &Tree,
    above: &[Node],
    marks: &HashMap<usize, Mark>,
) -> Result<Vec<Node>> {
    let linked = below.nodes.iter().filter_map(|node| match node.kind {
        NodeKind::Link(to) => Some(index(to)),
        _ => None,
    });
    let mut merging = Merging {
        below: Side::of(&below.nodes),
        above: Side::of(above),
        marks,
        linked: linked.collect(),
        numbers: HashMap::new(),
        nodes: Vec::new(),
    };
    if let Some(root) = above.first() {
        merging.nodes.push(root.clone());
        merging.folder(&root.path, Some(b""))?;
    }
    Ok(merging.nodes)
}

/// Entries in their order, and which of them are in which folder.
struct Side<'a> {
    nodes: &'a [Node],
    inside: HashMap<&'a [u8], Vec<usize>>,
}

impl<'a> Side<'a> {
    fn of(nodes: &'a [Node]) -> Self {
        let mut inside: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (number, node) in nodes.iter().enumerate() {
            if let Some((folder, _)) = node.path.split() {
                inside.entry(folder).or_default().push(number);
            }
        }
        Self { nodes, inside }
    }

    /// What is in a folder, in the order of names.
    fn inside(&self, folder: &[u8]) -> Vec<usize> {
        self.inside.get(folder).cloned().unwrap_or_default()
    }

    fn name(&self, number: usize) -> &'a [u8] {
        self.nodes[number].path.split().map_or(b"", |(_, name)| name)
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let found =
            self.nodes.binary_search_by(|node| crate::manifest::order(node.path.as_bytes(), path));
        found.ok()
    }

    /// The entry that this one is a name of.
    fn real(&self, number: usize) -> usize {
        match self.nodes[number].kind {
            NodeKind::Link(to) => index(to),
            _ => number,
        }
    }
}

/// One of the two sides, and a number there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Inode {
    Below(usize),
    Above(usize),
}

struct Merging<'a> {
    below: Side<'a>,
    above: Side<'a>,
    marks: &'a HashMap<usize, Mark>,
    /// What has several names below.
    linked: HashSet<usize>,
    /// Under which number something with several names stands among the entries.
    numbers: HashMap<Inode, u64>,
    nodes: Vec<Node>,
}

impl Merging<'_> {
    /// Puts what is in a folder of the layer, and what shows through of the folder below.
    fn folder(&mut self, path: &EntryPath, below: Option<&[u8]>) -> Result<()> {
        let mut over = self.above.inside(path.as_bytes()).into_iter().peekable();
        let mut under =
            below.map(|below| self.below.inside(below)).unwrap_or_default().into_iter().peekable();
        loop {
            let names = (
                over.peek().map(|number| self.above.name(*number)),
                under.peek().map(|number| self.below.name(*number)),
            );
            match names {
                (None, None) => return Ok(()),
                (Some(name), other) if other.is_none_or(|other| name <= other) => {
                    if other == Some(name) {
                        under.next();
                    }
                    let number = over.next().expect("it was looked at");
                    self.put(number, below)?;
                }
                _ => {
                    let number = under.next().expect("it was looked at");
                    self.show(number, path)?;
                }
            }
        }
    }

    /// Puts an entry of the layer, whose folder is that one below.
    fn put(&mut self, number: usize, folder: Option<&[u8]>) -> Result<()> {
        let node = &self.above.nodes[number];
        let real = self.above.real(number);
        if node.kind == NOTHING {
            return Ok(());
        }
        if real != number {
            let Some(first) = self.numbers.get(&Inode::Above(real)) else {
                return Err(lost(&node.path, "its first name is not in the layer"));
            };
            let (path, kind) = (node.path.clone(), NodeKind::Link(*first));
            self.nodes.push(Node { path, kind, meta: crate::tree::Meta::default() });
            return Ok(());
        }
        let none = Mark::default();
        let mark = self.marks.get(&number).unwrap_or(&none);
        let place = mark.place(folder, self.above.name(number));
        let mut node = node.clone();
        if let (NodeKind::File(content), true) = (&mut node.kind, mark.is_metacopy) {
            *content = self.content(place.as_deref(), &node.path)?;
        }
        let (path, is_folder) = (node.path.clone(), node.kind == NodeKind::Directory);
        self.numbers.insert(Inode::Above(number), self.nodes.len() as u64);
        self.nodes.push(node);
        if !is_folder {
            return Ok(());
        }
        let is_there = |place: &Vec<u8>| {
            let found = self.below.find(place);
            found.is_some_and(|found| self.below.nodes[found].kind == NodeKind::Directory)
        };
        let place = place.filter(|place| !mark.is_opaque && is_there(place));
        self.folder(&path, place.as_deref())
    }

    /// Puts an entry of the tree below, with all that is in it, into a folder.
    fn show(&mut self, number: usize, folder: &EntryPath) -> Result<()> {
        let path = folder.join(self.below.name(number));
        if path.as_bytes().len() > PATH_LIMIT {
            return Err(Error::refused(path.as_bytes(), "its path is longer than 4095 bytes"));
        }
        let real = self.below.real(number);
        if self.below.nodes[real].kind == NOTHING {
            return Ok(());
        }
        if let Some(first) = self.numbers.get(&Inode::Below(real)) {
            let kind = NodeKind::Link(*first);
            self.nodes.push(Node { path, kind, meta: crate::tree::Meta::default() });
            return Ok(());
        }
        if self.linked.contains(&real) {
            self.numbers.insert(Inode::Below(real), self.nodes.len() as u64);
        }
        let node = &self.below.nodes[real];
        self.nodes.push(Node { path: path.clone(), ..node.clone() });
        if node.kind == NodeKind::Directory {
            for number in self.below.inside(self.below.nodes[number].path.as_bytes()) {
                self.show(number, &path)?;
            }
        }
        Ok(())
    }

    /// What is in a file of the tree below.
    fn content(&self, place: Option<&[u8]>, path: &EntryPath) -> Result<Content> {
        let found = place.and_then(|place| self.below.find(place));
        match found.map(|found| &self.below.nodes[self.below.real(found)].kind) {
            Some(NodeKind::File(content)) => Ok(content.clone()),
            _ => Err(lost(path, "its contents are not in the tree below")),
        }
    }
}

fn lost(path: &EntryPath, reason: &str) -> Error {
    Error::Corrupt { path: printable(path.as_bytes()).into(), reason: reason.into() }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
