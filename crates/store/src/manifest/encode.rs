//! Writing a manifest, entry by entry.

use super::{Content, Device, END, MAGIC, Node, NodeKind};
use crate::tree::Meta;
use std::io::{self, Write};

/// Writes a manifest. Entries come in their order; that is the caller's to keep, and a debug build checks it.
pub(crate) struct Encoder<W: Write> {
    out: W,
    last: Option<Vec<u8>>,
    count: u64,
}

impl<W: Write> Encoder<W> {
    /// Begins a manifest.
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, last: None, count: 0 })
    }

    /// Writes an entry; its number.
    pub(crate) fn put(&mut self, node: &Node) -> io::Result<u64> {
        debug_assert!(
            self.last
                .as_deref()
                .is_none_or(|last| super::order(last, node.path.as_bytes()).is_lt()),
            "entries out of order"
        );
        self.last = Some(node.path.as_bytes().to_vec());
        self.out.write_all(&[node.kind.byte()])?;
        self.bytes(node.path.as_bytes())?;
        if let NodeKind::Link(to) = node.kind {
            self.number(to)?;
        } else {
            self.meta(&node.meta)?;
            self.kind(&node.kind)?;
        }
        self.count += 1;
        Ok(self.count - 1)
    }

    /// Ends the manifest.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[END])?;
        Ok(self.out)
    }

    fn kind(&mut self, kind: &NodeKind) -> io::Result<()> {
        match kind {
            NodeKind::File(Content { size, digest, segments }) => {
                self.number(*size)?;
                self.out.write_all(digest.as_bytes())?;
                self.number(segments.len() as u64)?;
                for segment in segments {
                    self.number(segment.offset)?;
                    self.number(segment.length)?;
                }
                Ok(())
            }
            NodeKind::Symlink(target) => self.bytes(target),
            NodeKind::Char(Device { major, minor }) | NodeKind::Block(Device { major, minor }) => {
                self.number((*major).into())?;
                self.number((*minor).into())
            }
            NodeKind::Directory | NodeKind::Fifo | NodeKind::Link(_) => Ok(()),
        }
    }

    fn meta(&mut self, meta: &Meta) -> io::Result<()> {
        self.number(meta.mode.into())?;
        self.number(meta.uid.into())?;
        self.number(meta.gid.into())?;
        self.number(zigzag(meta.mtime.seconds))?;
        self.number(meta.mtime.nanoseconds.into())?;
        let mut pairs: Vec<_> = meta.xattrs.iter().collect();
        pairs.sort_unstable();
        self.number(pairs.len() as u64)?;
        for (name, value) in pairs {
            self.bytes(name)?;
            self.bytes(value)?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.number(bytes.len() as u64)?;
        self.out.write_all(bytes)
    }

    /// LEB128: seven bits a byte, the lowest first, the high bit where more follow.
    fn number(&mut self, mut value: u64) -> io::Result<()> {
        let mut bytes = [0_u8; 10];
        let mut length = 0;
        loop {
            let low = u8::try_from(value & 0x7f).expect("seven bits fit");
            value >>= 7;
            bytes[length] = if value == 0 { low } else { low | 0x80 };
            length += 1;
            if value == 0 {
                return self.out.write_all(&bytes[..length]);
            }
        }
    }
}

/// Small numbers of either sign as small numbers without one.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
