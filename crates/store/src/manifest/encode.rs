//! Writing a manifest, entry by entry.
//!
//! Each entry is read again before it is written, by the reader of everybody else's: so what is written can be read, whatever was
//! asked for, and what the reader would refuse is refused while its name is known.

use super::{Broken, Content, Decoder, Device, END, MAGIC, Node, NodeKind};
use crate::error::{Error, Result};
use crate::tree::Meta;
use std::io::{Cursor, Write};

/// Writes a manifest. Entries come in their order; that is the caller's to keep. Not to be used any more after an error.
pub(crate) struct Encoder<W: Write> {
    out: W,
    reader: Decoder<Cursor<Vec<u8>>>,
    count: u64,
}

impl<W: Write> Encoder<W> {
    /// Begins a manifest.
    pub(crate) fn new(mut out: W) -> Result<Self> {
        out.write_all(MAGIC).map_err(Error::Output)?;
        Ok(Self { out, reader: Decoder::of_parts(), count: 0 })
    }

    /// Writes an entry; its number.
    ///
    /// # Errors
    /// `Refused` with the entry that no manifest can have; `Output`.
    pub(crate) fn put(&mut self, node: &Node) -> Result<u64> {
        self.write(&entry(node)).map_err(|broken| match broken {
            Broken::Format { reason, .. } => Error::refused(node.path.as_bytes(), reason),
            Broken::Io(error) => Error::Output(error),
        })?;
        self.count += 1;
        Ok(self.count - 1)
    }

    /// Ends the manifest.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.write(&[END]).map_err(|broken| match broken {
            Broken::Format { reason, .. } => Error::refused(b"", reason),
            Broken::Io(error) => Error::Output(error),
        })?;
        Ok(self.out)
    }

    fn write(&mut self, part: &[u8]) -> std::result::Result<(), Broken> {
        self.reader.read_part(part)?;
        Ok(self.out.write_all(part)?)
    }
}

/// An entry as it is written.
pub(super) fn entry(node: &Node) -> Vec<u8> {
    let mut out = vec![node.kind.byte()];
    bytes(&mut out, node.path.as_bytes());
    if let NodeKind::Link(to) = node.kind {
        number(&mut out, to);
    } else {
        meta(&mut out, &node.meta);
        kind(&mut out, &node.kind);
    }
    out
}

fn kind(out: &mut Vec<u8>, kind: &NodeKind) {
    match kind {
        NodeKind::File(Content { size, digest, segments }) => {
            number(out, *size);
            out.extend_from_slice(digest.as_bytes());
            number(out, segments.len() as u64);
            for segment in segments {
                number(out, segment.offset);
                number(out, segment.length);
            }
        }
        NodeKind::Symlink(target) => bytes(out, target),
        NodeKind::Char(Device { major, minor }) | NodeKind::Block(Device { major, minor }) => {
            number(out, (*major).into());
            number(out, (*minor).into());
        }
        NodeKind::Directory | NodeKind::Fifo | NodeKind::Link(_) => {}
    }
}

fn meta(out: &mut Vec<u8>, meta: &Meta) {
    number(out, meta.mode.into());
    number(out, meta.uid.into());
    number(out, meta.gid.into());
    number(out, zigzag(meta.mtime.seconds));
    number(out, meta.mtime.nanoseconds.into());
    let mut pairs: Vec<_> = meta.xattrs.iter().collect();
    pairs.sort_unstable();
    number(out, pairs.len() as u64);
    for (name, value) in pairs {
        bytes(out, name);
        bytes(out, value);
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// LEB128: seven bits a byte, the lowest first, the high bit where more follow.
fn number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit");
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// Small numbers of either sign as small numbers without one.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}
