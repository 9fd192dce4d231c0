//! Writing EROFS images that hold a tree without the contents of its files: overlayfs finds these in the store's objects.
//!
//! The format is as the Linux kernel documents it: Documentation/filesystems/erofs.rst, "On-disk details", with the fields of
//! fs/erofs/erofs_fs.h. Of what it offers only this is used: blocks of 4096 bytes; inodes of the long form, none across a block's
//! end; symbolic links and folders inline where they fit, in blocks of their own where not; inline extended attributes; files
//! as one hole of their size (chunks without data, Linux 5.15). What a file's contents are is said by the attributes
//! `trusted.overlay.metacopy` and `trusted.overlay.redirect`, as overlayfs documents them (Linux 6.5).
//!
//! The manifest is read twice: first to find where every inode will be (four bytes of memory for each), then to write the image
//! from front to back. Memory holds the names in the folders that are open. The same tree gives the same bytes.

mod folder;
mod inode;
mod layout;
mod xattrs;

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Content, Device, Node, NodeKind};
use folder::{Child, Folder};
use inode::{Inode, Layout};
use layout::{BLOCK, Cursor, Place, ROOT_SLOT};
use std::collections::HashMap;
use std::io::Write;

/// A reader of a manifest, from its beginning.
pub(super) trait Nodes {
    /// The next entry; nothing at the end.
    fn next(&mut self) -> Result<Option<Node>>;
}

/// Writes the image of a tree. `open` begins to read its manifest and is called twice.
pub(super) fn write<N: Nodes, W: Write>(
    tree: &Digest,
    open: &dyn Fn() -> Result<N>,
    out: W,
) -> Result<W> {
    let mut pass = Pass::new(Plan::default(), None::<Sink<std::io::Sink>>);
    pass.run(open()?)?;
    let plan = pass.planned()?;
    let mut sink = Sink { out, at: 0 };
    sink.put(0, &inode::superblock(&plan, tree))?;
    let mut pass = Pass::new(plan, Some(sink));
    pass.run(open()?)?;
    let mut sink = pass.sink.take().expect("it was given above");
    // The image ends with a whole block.
    sink.pad(pass.plan.blocks * BLOCK)?;
    Ok(sink.out)
}

/// What the first pass finds out.
#[derive(Debug, Default)]
struct Plan {
    /// Where the inode of each entry is, in units of 32 bytes; for another name, that of the entry it names.
    slots: Vec<u32>,
    /// What each entry is, as folders say it.
    kinds: Vec<u8>,
    /// How many names those have that have more than one.
    names: HashMap<u32, u32>,
    /// Where the names in the root are: its inode comes before they are known.
    root: (Place, u64),
    /// How many folders are in the root.
    root_folders: u32,
    /// How many inodes there are.
    inodes: u64,
    /// How long the image is, in blocks.
    blocks: u64,
}

/// Where the image goes, front to back.
struct Sink<W> {
    out: W,
    at: u64,
}

impl<W: Write> Sink<W> {
    /// Writes at this offset, which is not before the last.
    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.pad(at)?;
        self.at += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::Output)
    }

    fn pad(&mut self, to: u64) -> Result<()> {
        const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
        debug_assert!(to >= self.at, "the image is written backwards");
        while self.at < to {
            let length = usize::try_from((to - self.at).min(BLOCK)).expect("at most a block");
            self.out.write_all(&ZEROS[..length]).map_err(Error::Output)?;
            self.at += length as u64;
        }
        Ok(())
    }
}

/// A folder whose entries are being read.
struct Open {
    node: Node,
    number: usize,
    entries: Folder,
    folders: u32,
}

/// One reading of the manifest: with no sink it plans, with one it writes what was planned.
struct Pass<W> {
    plan: Plan,
    sink: Option<Sink<W>>,
    cursor: Cursor,
    open: Vec<Open>,
    /// How many entries were read.
    count: usize,
    /// The number of the next inode, for what has only 32 bits to name it by.
    inode: u32,
}

impl<W: Write> Pass<W> {
    fn new(plan: Plan, sink: Option<Sink<W>>) -> Self {
        let cursor = Cursor::behind_superblock();
        Self { plan, sink, cursor, open: Vec::new(), count: 0, inode: 0 }
    }

    fn run<N: Nodes>(&mut self, mut nodes: N) -> Result<()> {
        while let Some(node) = nodes.next()? {
            self.entry(node)?;
        }
        while !self.open.is_empty() {
            self.close()?;
        }
        Ok(())
    }

    fn planned(self) -> Result<Plan> {
        let mut plan = self.plan;
        plan.blocks = self.cursor.blocks();
        plan.inodes = u64::from(self.inode);
        if u32::try_from(plan.blocks).is_err() {
            return Err(Error::Unsupported {
                what: "a file system image of this tree".into(),
                reason: "it has too many entries".into(),
            });
        }
        Ok(plan)
    }

    fn entry(&mut self, node: Node) -> Result<()> {
        if let Some((above, _)) = node.path.split() {
            while self.open.last().is_some_and(|open| open.node.path.as_bytes() != above) {
                self.close()?;
            }
        }
        let number = self.count;
        self.count += 1;
        if matches!(node.kind, NodeKind::Directory) {
            return self.folder(node, number);
        }
        let child = match node.kind {
            NodeKind::Link(to) => self.link(&node, to)?,
            _ => self.leaf(&node, number)?,
        };
        self.name(&node, child);
        Ok(())
    }

    /// Notes the entry in the folder it is in.
    fn name(&mut self, node: &Node, child: Child) {
        if let Some((open, (_, name))) = self.open.last_mut().zip(node.path.split()) {
            open.entries.add(name, child);
            open.folders += u32::from(child.kind == inode::FOLDER);
        }
    }

    fn link(&mut self, node: &Node, to: u64) -> Result<Child> {
        let number = usize::try_from(to).ok().filter(|to| *to < self.count - 1);
        let child = number.and_then(|to| {
            Some(Child { slot: *self.plan.slots.get(to)?, kind: *self.plan.kinds.get(to)? })
        });
        let Some(child) = child else {
            return Err(Error::refused(
                node.path.as_bytes(),
                "it is another name of what has none",
            ));
        };
        if self.sink.is_none() {
            self.plan.slots.push(child.slot);
            self.plan.kinds.push(child.kind);
            *self.plan.names.entry(child.slot).or_insert(1) += 1;
        }
        Ok(child)
    }

    /// Places an entry that is no folder.
    fn leaf(&mut self, node: &Node, number: usize) -> Result<Child> {
        let refused = |reason: &str| Error::refused(node.path.as_bytes(), reason);
        let xattrs = xattrs::of(node).map_err(refused)?;
        let mut inode = Inode::of(node, &xattrs);
        let mut extents = Vec::new();
        let mut data: &[u8] = &[];
        match &node.kind {
            NodeKind::File(content) => {
                inode.size = content.size;
                if content.size > 0 {
                    (inode.union, extents) = hole(content).map_err(refused)?;
                    inode.layout = Layout::Chunks;
                }
            }
            NodeKind::Symlink(target) => {
                inode.size = target.len() as u64;
                data = target;
            }
            NodeKind::Char(device) | NodeKind::Block(device) => {
                inode.union = encoded(*device).map_err(refused)?;
            }
            NodeKind::Directory | NodeKind::Fifo | NodeKind::Link(_) => {}
        }
        let head = inode::SIZE + xattrs.len() + extents.len();
        let place = self.cursor.place(head, data.len());
        if !data.is_empty() {
            (inode.layout, inode.union) = place.layout();
        }
        let child = self.placed(place, node, number)?;
        inode.names = self.plan.names.get(&child.slot).copied().unwrap_or(1);
        self.put(place, inode, &extents, data)?;
        Ok(child)
    }

    /// Begins a folder.
    fn folder(&mut self, node: Node, number: usize) -> Result<()> {
        let slot_of = |number: usize| self.plan.slots.get(number).copied().unwrap_or(0);
        let above = self.open.last().map_or(number, |open| open.number);
        let (this, above) = (slot_of(number), slot_of(above));
        if self.sink.is_none() {
            // Where it will be is known when all of its entries are.
            self.plan.slots.push(ROOT_SLOT);
            self.plan.kinds.push(inode::FOLDER);
        }
        if node.path.is_root() {
            let xattrs = xattrs::of(&node).map_err(|reason| Error::refused(b"", reason))?;
            let (place, size) = self.plan.root;
            let mut inode = Inode::of(&node, &xattrs);
            (inode.layout, inode.union) = (Layout::Plain, place.block);
            (inode.size, inode.names) = (size, 2 + self.plan.root_folders);
            inode.number = self.next_inode()?;
            let slot = self.cursor.place(inode::SIZE + xattrs.len(), 0).slot;
            debug_assert_eq!(slot, u64::from(ROOT_SLOT), "the root comes first");
            if let Some(sink) = &mut self.sink {
                sink.put(slot * layout::SLOT, &inode.bytes())?;
            }
        }
        let entries = Folder::new(this, above);
        self.open.push(Open { node, number, entries, folders: 0 });
        Ok(())
    }

    /// Ends the innermost open folder, whose entries are all known now.
    fn close(&mut self) -> Result<()> {
        let Some(Open { node, number, entries, folders }) = self.open.pop() else { return Ok(()) };
        let data = entries.finish();
        if node.path.is_root() {
            let place = Place { slot: 0, block: self.cursor.plain(data.len()), inline: 0 };
            if self.sink.is_none() {
                self.plan.root = (place, data.len() as u64);
                self.plan.root_folders = folders;
            } else if let Some(sink) = &mut self.sink {
                sink.put(u64::from(place.block) * BLOCK, &data)?;
            }
            return Ok(());
        }
        let refused = |reason: &str| Error::refused(node.path.as_bytes(), reason);
        let xattrs = xattrs::of(&node).map_err(refused)?;
        let place = self.cursor.place(inode::SIZE + xattrs.len(), data.len());
        let mut inode = Inode::of(&node, &xattrs);
        (inode.layout, inode.union) = place.layout();
        (inode.size, inode.names) = (data.len() as u64, 2 + folders);
        let child = self.placed(place, &node, number)?;
        self.put(place, inode, &[], &data)?;
        self.name(&node, child);
        Ok(())
    }

    /// Notes where an entry's inode is; the second pass finds it where the first did.
    fn placed(&mut self, place: Place, node: &Node, number: usize) -> Result<Child> {
        let Ok(slot) = u32::try_from(place.slot) else {
            let reason = "there is too much before it";
            return Err(Error::refused(node.path.as_bytes(), reason));
        };
        let child = Child { slot, kind: inode::file_type(&node.kind) };
        if self.sink.is_some() {
            assert_eq!(self.plan.slots.get(number), Some(&slot), "the same manifest is read twice");
        } else if let Some(planned) = self.plan.slots.get_mut(number) {
            *planned = slot;
        } else {
            self.plan.slots.push(slot);
            self.plan.kinds.push(child.kind);
        }
        Ok(child)
    }

    fn next_inode(&mut self) -> Result<u32> {
        self.inode = self.inode.checked_add(1).ok_or_else(|| Error::Unsupported {
            what: "a file system image of this tree".into(),
            reason: "it has too many entries".into(),
        })?;
        Ok(self.inode)
    }

    fn put(
        &mut self,
        place: Place,
        mut inode: Inode<'_>,
        extents: &[u8],
        data: &[u8],
    ) -> Result<()> {
        inode.number = self.next_inode()?;
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let (outside, inline) = data.split_at(data.len() - place.inline);
        if !outside.is_empty() {
            sink.put(u64::from(place.block) * BLOCK, outside)?;
        }
        sink.put(place.slot * layout::SLOT, &inode.bytes())?;
        sink.put(sink.at, extents)?;
        sink.put(sink.at, inline)
    }
}

/// A file without data: one chunk that is not there, or as few as there can be.
fn hole(content: &Content) -> std::result::Result<(u32, Vec<u8>), &'static str> {
    /// The largest chunk, as a power of two: 31 more than that of a block.
    const LARGEST: u32 = 12 + 31;
    /// More than any file system takes.
    const LIMIT: u64 = 1024 << LARGEST;
    if content.size > LIMIT {
        return Err("it is larger than files can be");
    }
    let bits = (u64::BITS - (content.size - 1).leading_zeros()).clamp(12, LARGEST);
    let chunks = content.size.div_ceil(1 << bits);
    let extents = vec![0xff; usize::try_from(chunks * 4).expect("at most 4096")];
    Ok((bits - 12, extents))
}

/// The number of a device as the kernel writes it in 32 bits.
fn encoded(device: Device) -> std::result::Result<u32, &'static str> {
    let Device { major, minor } = device;
    if major > 0xfff || minor > 0xf_ffff {
        return Err("there is no device of this number");
    }
    Ok((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}
