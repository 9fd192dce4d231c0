//! A tree of the store, read: its manifest checked against its name, its entries found by path.

use super::name::unescape;
use super::{Cas, Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Broken, Content, Decoder, Node, NodeKind, order};
use crate::tree::{EntryPath, Meta, Notes};
use std::collections::HashMap;
use std::io::{self, BufReader, Read};

/// How many symbolic links are followed on the way to one entry: as many as the kernel does.
const LINKS: usize = 40;

/// The most that entries of a tree of somebody else's may take in memory beside themselves, in bytes.
const HEAVY: usize = 512 << 20;

/// The entries of a tree, in their order.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Its name.
    pub(crate) digest: Digest,
    /// Its entries; the root is the first.
    pub(crate) nodes: Vec<Node>,
}

impl Cas {
    /// Reads a tree.
    pub(crate) fn tree(&self, digest: &Digest) -> Result<Tree> {
        let mut nodes = Vec::new();
        each_node(&self.objects(), digest, &mut |node| nodes.push(node))?;
        Ok(Tree { digest: *digest, nodes })
    }

    /// Reads a tree that is there to stay, with all that is in it, while the lease lives.
    pub(crate) fn pinned_tree(&self, lease: &Lease, digest: &Digest) -> Result<Tree> {
        let (objects, tree) = (self.objects(), self.tree(digest)?);
        let contents = tree.contents().map(|(_, content)| (content.digest, content.size));
        let own = std::iter::once((*digest, objects.size(digest)?));
        let all: Vec<(Digest, u64)> = own.chain(contents).collect();
        if let Some(missing) = objects.pin_all(lease, &all)?.iter().next() {
            let (path, reason) = (objects.path(missing), "the object is missing");
            return Err(Error::Corrupt { path, reason: reason.into() });
        }
        Ok(tree)
    }

    /// Reads a tree that somebody else has made, with at most so many entries, and no more at them than fits into memory.
    pub(crate) fn tree_of_at_most(&self, digest: &Digest, entries: usize) -> Result<Tree> {
        let (mut nodes, mut count, mut more) = (Vec::new(), 0, 0);
        each_node(&self.objects(), digest, &mut |node| {
            count += 1;
            more += weight(&node);
            if count <= entries && more <= HEAVY {
                nodes.push(node);
            }
        })?;
        if count > entries {
            return Err(Error::Damaged(format!("it has {count} entries, more than {entries}")));
        }
        if more > HEAVY {
            return Err(Error::Damaged("its entries have too many attributes and segments".into()));
        }
        Ok(Tree { digest: *digest, nodes })
    }
}

/// About what it takes to keep an entry beside itself, in bytes.
fn weight(node: &Node) -> usize {
    let more = match &node.kind {
        NodeKind::File(content) => size_of_val(&content.segments[..]),
        NodeKind::Symlink(target) => target.len(),
        _ => 0,
    };
    node.path.as_bytes().len() + node.meta.weight() + more
}

/// Calls `each` with the entries of a tree. That the manifest is the one of that name is known only when this returns:
/// nothing may be done by the entries before.
pub(super) fn each_node(
    objects: &Objects,
    tree: &Digest,
    each: &mut dyn FnMut(Node),
) -> Result<()> {
    let broken = |error: Broken| no_tree(objects, tree, &error.to_string());
    let mut file = Hashing { file: objects.open(tree)?, hasher: blake3::Hasher::new() };
    let mut nodes = Decoder::new(BufReader::with_capacity(256 << 10, &mut file)).map_err(broken)?;
    while let Some(node) = nodes.next().map_err(broken)? {
        each(node);
    }
    if Digest::from(file.hasher.finalize()) != *tree {
        return Err(no_tree(objects, tree, "its contents are not what its name says"));
    }
    Ok(())
}

/// The root of a tree. No more of the manifest is read, so whether it is the one of that name is not known.
pub(super) fn root(objects: &Objects, tree: &Digest) -> Result<Node> {
    let broken = |error: Broken| no_tree(objects, tree, &error.to_string());
    let mut nodes = Decoder::new(BufReader::new(objects.open(tree)?)).map_err(broken)?;
    let root = nodes.next().map_err(broken)?;
    root.ok_or_else(|| no_tree(objects, tree, "it has no root"))
}

fn no_tree(objects: &Objects, tree: &Digest, reason: &str) -> Error {
    Error::Corrupt { path: objects.path(tree), reason: format!("it is no tree: {reason}") }
}

/// Hashes what is read through it.
struct Hashing<R> {
    file: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        Ok(length)
    }
}

impl Tree {
    /// Its files with what is in them.
    pub(crate) fn contents(&self) -> impl Iterator<Item = (&Node, &Content)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::File(content) => Some((node, content)),
            _ => None,
        })
    }

    /// What an entry is, whichever of its names this one is.
    pub(crate) fn real<'a>(&'a self, node: &'a Node) -> &'a Node {
        match node.kind {
            NodeKind::Link(to) => &self.nodes[usize::try_from(to).unwrap_or(0)],
            _ => node,
        }
    }

    /// Its entries but for devices, and which those were.
    pub(crate) fn without_devices(self) -> (Vec<Node>, Notes) {
        let (mut kept, mut notes) = (Vec::new(), Notes::default());
        // Where each entry is among those that are kept.
        let mut places: Vec<Option<u64>> = Vec::with_capacity(self.nodes.len());
        for node in self.nodes {
            let kind = match node.kind {
                NodeKind::Char(_) | NodeKind::Block(_) => None,
                NodeKind::Link(to) => {
                    let place = usize::try_from(to).ok().and_then(|to| places.get(to));
                    place.copied().flatten().map(NodeKind::Link)
                }
                kind => Some(kind),
            };
            places.push(kind.is_some().then_some(kept.len() as u64));
            match kind {
                Some(kind) => kept.push(Node { kind, ..node }),
                None => notes.add(node.path.as_bytes(), "a device was left out"),
            }
        }
        (kept, notes)
    }

    /// A folder as a tree of its own: what has its first name elsewhere has it here.
    pub(crate) fn part(&self, folder: &Node) -> Vec<Node> {
        let skip = folder.path.as_bytes().len() + usize::from(!folder.path.is_root());
        let mut root = folder.clone();
        root.path = EntryPath::default();
        let mut part = vec![root];
        let mut numbers: HashMap<*const Node, u64> = HashMap::new();
        for node in self.below(&folder.path) {
            let bytes = node.path.as_bytes().get(skip..).unwrap_or_default();
            if bytes.is_empty() {
                continue;
            }
            let path = EntryPath::default().join(bytes);
            let real = self.real(node);
            let number = part.len() as u64;
            part.push(match numbers.get(&std::ptr::from_ref(real)) {
                Some(first) => Node { path, kind: NodeKind::Link(*first), meta: Meta::default() },
                None => Node { path, ..real.clone() },
            });
            numbers.entry(std::ptr::from_ref(real)).or_insert(number);
        }
        part
    }

    /// The entry at a path, as people write it; symbolic links on the way are followed within the tree, one at the end as
    /// well where `follow` says.
    pub(crate) fn find(&self, text: &str, follow: bool) -> Result<&Node> {
        let missing = || Error::NoEntry(text.to_owned());
        let mut rest: Vec<Vec<u8>> = parts(&unescape(text));
        rest.reverse();
        let mut at = Vec::new();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == b".." {
                let above = at.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                at.truncate(above);
                continue;
            }
            let next = if at.is_empty() { part } else { [&at[..], b"/", &part].concat() };
            let node = self.at(&next).ok_or_else(missing)?;
            match &self.real(node).kind {
                NodeKind::Symlink(target) if follow || !rest.is_empty() => {
                    links += 1;
                    if links > LINKS {
                        return Err(Error::Invalid(format!("{text}: too many symbolic links")));
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    rest.extend(parts(target).into_iter().rev());
                }
                _ => at = next,
            }
        }
        self.at(&at).ok_or_else(missing)
    }

    /// The entries in a folder.
    pub(crate) fn children<'a>(&'a self, folder: &'a EntryPath) -> impl Iterator<Item = &'a Node> {
        self.below(folder)
            .filter(|node| node.path.split().is_some_and(|(above, _)| above == folder.as_bytes()))
    }

    /// The entries below a folder, however deep.
    pub(crate) fn below<'a>(&'a self, folder: &'a EntryPath) -> impl Iterator<Item = &'a Node> {
        let path = folder.as_bytes();
        let from = self.nodes.partition_point(|node| order(node.path.as_bytes(), path).is_le());
        self.nodes[from..].iter().take_while(move |node| {
            let rest = node.path.as_bytes().strip_prefix(path);
            path.is_empty() || rest.is_some_and(|rest| rest.starts_with(b"/"))
        })
    }

    fn at(&self, path: &[u8]) -> Option<&Node> {
        let found = self.nodes.binary_search_by(|node| order(node.path.as_bytes(), path));
        found.ok().map(|index| &self.nodes[index])
    }
}

fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let named = |part: &&[u8]| !matches!(*part, b"" | b".");
    path.split(|byte| *byte == b'/').filter(named).map(<[u8]>::to_vec).collect()
}
