//! From entries to an archive: ustar headers, and PAX headers for what they cannot say. The same entries give the
//! same bytes.

use super::BLOCK;
use super::header::{put_octal, seal};
use super::pax::{format_time, put_record};
use crate::tree::{Entry, Kind, Segment, Shape};
use std::io::{self, Read, Write};

/// The largest number that eleven octal digits hold.
const OCTAL_11: u64 = 0o777_7777_7777;
/// The largest number that seven octal digits hold.
const OCTAL_7: u32 = 0o777_7777;

/// Writes a tar archive.
pub(crate) struct TarWriter<W> {
    out: W,
}

impl<W: Write> TarWriter<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out }
    }

    /// Appends an entry; `data` yields exactly the bytes of its segments.
    pub(crate) fn put(&mut self, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
        let mut name = entry.path.as_bytes().to_vec();
        if entry.path.is_root() {
            name = b".".to_vec();
        }
        let empty = Shape::default();
        let (flag, link, shape): (u8, &[u8], &Shape) = match &entry.kind {
            Kind::Directory => (b'5', b"", &empty),
            Kind::File(shape) => (b'0', b"", shape),
            Kind::Symlink(target) => (b'2', target, &empty),
            Kind::HardLink(target) => (b'1', target.as_bytes(), &empty),
            Kind::Fifo => (b'6', b"", &empty),
            Kind::Special(what) => {
                return Err(io::Error::new(io::ErrorKind::Unsupported, what.clone()));
            }
        };
        if flag == b'5' {
            name.push(b'/');
        }
        let map = if shape.is_dense() { Vec::new() } else { sparse_map(shape) };
        let size = map.len() as u64 + shape.stored().unwrap_or(0);
        let mut records = pax_records(entry, &name, link, size);
        if !map.is_empty() {
            put_record(&mut records, b"GNU.sparse.major", b"1");
            put_record(&mut records, b"GNU.sparse.minor", b"0");
            put_record(&mut records, b"GNU.sparse.name", &name);
            put_record(&mut records, b"GNU.sparse.realsize", shape.size.to_string().as_bytes());
        }
        if !records.is_empty() {
            self.extension(&records)?;
        }
        let mut block = head(entry, &name, size);
        let link_end = link.len().min(100);
        block[157..157 + link_end].copy_from_slice(&link[..link_end]);
        block[156] = flag;
        seal(&mut block);
        self.out.write_all(&block)?;
        self.out.write_all(&map)?;
        let stored = size - map.len() as u64;
        if io::copy(&mut data.take(stored), &mut self.out)? != stored {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.pad(size)
    }

    /// Appends a device by its major and minor number; what kind of entry it says it is does not matter.
    pub(crate) fn put_device(
        &mut self,
        entry: &Entry,
        is_block: bool,
        (major, minor): (u32, u32),
    ) -> io::Result<()> {
        let name = entry.path.as_bytes();
        let records = pax_records(entry, name, b"", 0);
        if !records.is_empty() {
            self.extension(&records)?;
        }
        let mut block = head(entry, name, 0);
        block[156] = if is_block { b'4' } else { b'3' };
        for (range, number) in [(329..337, major), (337..345, minor)] {
            if !put_octal(&mut block[range], number.into()) {
                let what = format!("the number {major}:{minor} of a device is too large for tar");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        }
        seal(&mut block);
        self.out.write_all(&block)
    }

    /// Writes the two zero blocks at the end and gives the writer back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }

    fn extension(&mut self, records: &[u8]) -> io::Result<()> {
        let mut block = [0; BLOCK];
        block[..12].copy_from_slice(b"@PaxHeaders@");
        put_octal(&mut block[100..108], 0o644);
        for range in [108..116, 116..124, 136..148] {
            put_octal(&mut block[range], 0);
        }
        put_octal(&mut block[124..136], records.len() as u64);
        block[156] = b'x';
        block[257..265].copy_from_slice(b"ustar\x0000");
        seal(&mut block);
        self.out.write_all(&block)?;
        self.out.write_all(records)?;
        self.pad(records.len() as u64)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.out.write_all(&[0; BLOCK][..usize::try_from(padding).unwrap_or(0)])
    }
}

/// The records for what the ustar header cannot say.
fn pax_records(entry: &Entry, name: &[u8], link: &[u8], size: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let meta = &entry.meta;
    let long_name = split_name(name).is_none();
    if (long_name && std::str::from_utf8(name).is_err())
        || (link.len() > 100 && std::str::from_utf8(link).is_err())
    {
        put_record(&mut records, b"hdrcharset", b"BINARY");
    }
    if long_name {
        put_record(&mut records, b"path", name);
    }
    if link.len() > 100 {
        put_record(&mut records, b"linkpath", link);
    }
    if size > OCTAL_11 {
        put_record(&mut records, b"size", size.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], meta.uid), (b"gid", meta.gid)] {
        if id > OCTAL_7 {
            put_record(&mut records, key, id.to_string().as_bytes());
        }
    }
    let plain_time = meta.mtime.nanoseconds == 0
        && u64::try_from(meta.mtime.seconds).is_ok_and(|seconds| seconds <= OCTAL_11);
    if !plain_time {
        put_record(&mut records, b"mtime", format_time(meta.mtime).as_bytes());
    }
    for (key, value) in &meta.xattrs {
        put_record(&mut records, &[b"SCHILY.xattr.", &key[..]].concat(), value);
    }
    records
}

/// A header with name and numbers.
fn head(entry: &Entry, name: &[u8], size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put_name(&mut block, name);
    put_numbers(&mut block, entry, size);
    block
}

fn put_numbers(block: &mut [u8; BLOCK], entry: &Entry, size: u64) {
    let meta = &entry.meta;
    let seconds = u64::try_from(meta.mtime.seconds).unwrap_or(0);
    put_octal(&mut block[100..108], u64::from(meta.mode & 0o7777));
    put_octal(&mut block[108..116], u64::from(meta.uid.min(OCTAL_7)));
    put_octal(&mut block[116..124], u64::from(meta.gid.min(OCTAL_7)));
    put_octal(&mut block[124..136], size.min(OCTAL_11));
    put_octal(&mut block[136..148], seconds.min(OCTAL_11));
    block[257..265].copy_from_slice(b"ustar\x0000");
    put_octal(&mut block[329..337], 0);
    put_octal(&mut block[337..345], 0);
}

/// Where the name can be cut into prefix and name, or nothing where it does not fit the header.
fn split_name(name: &[u8]) -> Option<usize> {
    if name.len() <= 100 {
        return Some(0);
    }
    let cut = |at: &usize| name[*at] == b'/' && *at <= 155 && name.len() - at - 1 <= 100;
    (1..name.len().saturating_sub(1)).find(cut)
}

fn put_name(block: &mut [u8; BLOCK], name: &[u8]) {
    let (prefix, rest): (&[u8], &[u8]) = match split_name(name) {
        Some(0) => (b"", name),
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (b"", &name[..100]),
    };
    block[..rest.len()].copy_from_slice(rest);
    block[345..345 + prefix.len()].copy_from_slice(prefix);
}

/// The map in front of the data: numbers a line each, padded to a block.
fn sparse_map(shape: &Shape) -> Vec<u8> {
    // A hole at the end is told by an empty segment behind it: without, GNU tar would leave it out.
    let end = shape.segments.last().map_or(0, |last| last.offset + last.length);
    let closing = (end < shape.size).then_some(Segment { offset: shape.size, length: 0 });
    let mut map = format!("{}\n", shape.segments.len() + closing.iter().len()).into_bytes();
    for segment in shape.segments.iter().chain(&closing) {
        map.extend_from_slice(format!("{}\n{}\n", segment.offset, segment.length).as_bytes());
    }
    map.resize(map.len().next_multiple_of(BLOCK), 0);
    map
}
