//! Tree manifests: a whole tree of files as one canonical sequence of bytes, so that the same tree has the same name.
//!
//! Pure. The format, version 1, is this and nothing else; docs/formats/tree.md says it again for people. It begins
//! with the line `volt-tree 1` and a newline; then come the entries, folders before what is in them, the names in a
//! folder in the order of their bytes; then the byte `.`. Numbers are LEB128 of the shortest form, at most 64 bits.
//! Byte strings are their length, a number, and their bytes. An entry is
//!
//! ```text
//! kind      one byte: d folder, f file, l symbolic link, h another name of an earlier entry,
//!           p pipe, c character device, b block device
//! path      byte string: parts separated by one slash, the root is empty; no part is `.` or `..`
//! mode      number: permission bits with setuid, setgid and sticky      (all but h)
//! uid, gid  numbers                                                     (all but h)
//! mtime     number: seconds since 1970, zigzag; number: nanoseconds     (all but h)
//! xattrs    number of pairs; each name and value as byte strings,
//!           in the order of the names                                   (all but h)
//! then      f: size, number; BLAKE3 of the contents with holes as zeros, 32 bytes;
//!              number of segments (0 where it has no holes), each offset and length, numbers
//!           l: target, byte string
//!           h: the number of the entry that it is another name of, counted from 0; that is no folder and no h
//!           c, b: major and minor, numbers
//! ```
//!
//! There is exactly one way to write a tree: whatever else a reader finds, it refuses.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{Broken, Decoder};
pub(crate) use encode::Encoder;

use crate::digest::Digest;
use crate::tree::{EntryPath, Meta, Segment};

/// The first line: name and version.
const MAGIC: &[u8] = b"volt-tree 1\n";
/// The last byte.
const END: u8 = b'.';

/// The most extended attributes of one entry.
const XATTR_LIMIT: u64 = 1 << 12;
/// The longest value of an extended attribute, in bytes: the kernel's own limit.
const XATTR_VALUE_LIMIT: u64 = 1 << 16;
/// The longest name of an extended attribute, in bytes: the kernel's own limit.
const XATTR_NAME_LIMIT: u64 = 255;
/// The most segments of one sparse file.
const SEGMENT_LIMIT: u64 = crate::tree::SEGMENT_LIMIT as u64;

/// An entry of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it lies.
    pub(crate) path: EntryPath,
    /// What it is.
    pub(crate) kind: NodeKind,
    /// Its attributes; all default for [`NodeKind::Link`].
    pub(crate) meta: Meta,
}

/// What an entry of a manifest is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    /// A folder.
    Directory,
    /// A file.
    File(Content),
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// Another name of the entry with this number.
    Link(u64),
    /// A named pipe.
    Fifo,
    /// A character device.
    Char(Device),
    /// A block device.
    Block(Device),
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    /// Its size in bytes, with holes.
    pub(crate) size: u64,
    /// The hash of its bytes, holes as zeros.
    pub(crate) digest: Digest,
    /// Where it has data; empty where it has no holes.
    pub(crate) segments: Vec<Segment>,
}

/// The number of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its major number.
    pub(crate) major: u32,
    /// Its minor number.
    pub(crate) minor: u32,
}

impl NodeKind {
    fn byte(&self) -> u8 {
        match self {
            Self::Directory => b'd',
            Self::File(_) => b'f',
            Self::Symlink(_) => b'l',
            Self::Link(_) => b'h',
            Self::Fifo => b'p',
            Self::Char(_) => b'c',
            Self::Block(_) => b'b',
        }
    }
}

/// The order in which entries come: part by part, so that a folder's entries follow it before its next sibling.
pub(crate) fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    // A slash sorts before every other byte that a part can have (NUL cannot be in one).
    let key = |byte: &u8| if *byte == b'/' { 0 } else { u16::from(*byte) + 1 };
    a.iter().map(key).cmp(b.iter().map(key))
}
