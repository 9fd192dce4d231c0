//! Inodes and the superblock as bytes.

use super::Plan;
use super::layout::ROOT_SLOT;
use crate::digest::Digest;
use crate::manifest::{Node, NodeKind};
use crate::tree::Meta;

/// The size of an inode of the long form, in bytes.
pub(super) const SIZE: usize = 64;
/// What a folder is among the entries of another.
pub(super) const FOLDER: u8 = 2;

/// Where the superblock begins, in bytes.
const SUPERBLOCK: usize = 1024;
/// Its first bytes.
const MAGIC: u32 = 0xe0f5_e1e2;
/// Inodes have the time of the last change of the contents.
const MTIME: u32 = 2;
/// There are files in chunks.
const CHUNKED_FILE: u32 = 4;

/// Where the data of an inode is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layout {
    /// In blocks.
    Plain = 0,
    /// In blocks, and the rest behind the inode.
    Inline = 2,
    /// In chunks.
    Chunks = 4,
}

/// An inode.
#[derive(Debug)]
pub(super) struct Inode<'a> {
    pub(super) layout: Layout,
    pub(super) size: u64,
    /// The first block, the form of the chunks, or the device.
    pub(super) union: u32,
    pub(super) number: u32,
    pub(super) names: u32,
    mode: u16,
    meta: &'a Meta,
    /// The extended attributes as bytes.
    xattrs: &'a [u8],
}

impl<'a> Inode<'a> {
    /// The inode of an entry, without data.
    pub(super) fn of(node: &'a Node, xattrs: &'a [u8]) -> Self {
        let file_type: u32 = match node.kind {
            NodeKind::Fifo => 0o1,
            NodeKind::Char(_) => 0o2,
            NodeKind::Directory => 0o4,
            NodeKind::Block(_) => 0o6,
            NodeKind::File(_) | NodeKind::Link(_) => 0o10,
            NodeKind::Symlink(_) => 0o12,
        };
        let mode = (file_type << 12) | (node.meta.mode & 0o7777);
        let mode = u16::try_from(mode).expect("a type and permissions have 16 bits");
        let (layout, meta) = (Layout::Plain, &node.meta);
        Self { layout, size: 0, union: 0, number: 0, names: 1, mode, meta, xattrs }
    }

    /// The inode and its extended attributes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        /// The long form.
        const EXTENDED: u16 = 1;
        let format = EXTENDED | ((self.layout as u16) << 1);
        let mut bytes = Vec::with_capacity(SIZE + self.xattrs.len());
        bytes.extend_from_slice(&format.to_le_bytes());
        bytes.extend_from_slice(&super::xattrs::count(self.xattrs).to_le_bytes());
        bytes.extend_from_slice(&self.mode.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.union.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.meta.uid.to_le_bytes());
        bytes.extend_from_slice(&self.meta.gid.to_le_bytes());
        bytes.extend_from_slice(&self.meta.mtime.seconds.to_le_bytes());
        bytes.extend_from_slice(&self.meta.mtime.nanoseconds.to_le_bytes());
        bytes.extend_from_slice(&self.names.to_le_bytes());
        bytes.resize(SIZE, 0);
        bytes.extend_from_slice(self.xattrs);
        bytes
    }
}

/// What an entry is among the entries of a folder. For another name, that of the entry it names counts.
pub(super) fn file_type(kind: &NodeKind) -> u8 {
    match kind {
        NodeKind::File(_) | NodeKind::Link(_) => 1,
        NodeKind::Directory => FOLDER,
        NodeKind::Char(_) => 3,
        NodeKind::Block(_) => 4,
        NodeKind::Fifo => 5,
        NodeKind::Symlink(_) => 7,
    }
}

/// The first bytes of the image: nothing, then the superblock.
pub(super) fn superblock(plan: &Plan, tree: &Digest) -> Vec<u8> {
    let mut bytes = vec![0; SUPERBLOCK + 128];
    let mut put = |at: usize, value: &[u8]| {
        bytes[SUPERBLOCK + at..SUPERBLOCK + at + value.len()].copy_from_slice(value);
    };
    put(0, &MAGIC.to_le_bytes());
    put(8, &MTIME.to_le_bytes());
    // The size of a block as a power of two.
    put(12, &[12]);
    put(14, &u16::try_from(ROOT_SLOT).expect("it is small").to_le_bytes());
    put(16, &plan.inodes.to_le_bytes());
    put(36, &u32::try_from(plan.blocks).expect("it was checked").to_le_bytes());
    put(48, &tree.as_bytes()[..16]);
    put(64, b"volt");
    put(80, &CHUNKED_FILE.to_le_bytes());
    bytes
}
