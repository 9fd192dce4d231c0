//! The maps of sparse files in their three PAX forms. Pure, but for the map that lies in front of the data.

use super::BLOCK;
use super::pax::{Records, decimal};
use crate::tree::{Segment, Shape};
use std::io::{self, Read};

/// More segments than any real file has, and what bounds the memory of a map.
const SEGMENT_LIMIT: usize = 1 << 20;

/// What the extended header says about a sparse file.
pub(super) enum PaxSparse {
    /// It is none.
    No,
    /// The map is in the header (0.0 and 0.1), or follows in front of the data (1.0).
    Map(u64, Option<Vec<(u64, u64)>>),
}

/// Reads the sparse records of an extended header.
pub(super) fn from_records(records: &Records) -> Result<PaxSparse, &'static str> {
    if records.get(b"GNU.sparse.major") == Some(b"1") {
        let real = records.number(b"GNU.sparse.realsize")?;
        return Ok(PaxSparse::Map(real.ok_or("a sparse file without its size")?, None));
    }
    let Some(real) = records.number(b"GNU.sparse.size")? else { return Ok(PaxSparse::No) };
    let numbers = match records.get(b"GNU.sparse.map") {
        Some(map) => map.split(|b| *b == b',').map(decimal).collect::<Option<Vec<_>>>(),
        None => {
            let mine = |key: &[u8]| key == b"GNU.sparse.offset" || key == b"GNU.sparse.numbytes";
            records.0.iter().filter(|(key, _)| mine(key)).map(|(_, value)| decimal(value)).collect()
        }
    };
    let numbers =
        numbers.filter(|n| n.len() % 2 == 0).ok_or("the map of a sparse file is broken")?;
    Ok(PaxSparse::Map(real, Some(numbers.chunks_exact(2).map(|p| (p[0], p[1])).collect())))
}

/// Reads the map that lies in front of the data (1.0). Returns it and the bytes it took, whole blocks.
pub(super) fn read_map(input: &mut impl Read) -> io::Result<(Vec<(u64, u64)>, u64)> {
    let mut numbers = Lines { input, block: [0; BLOCK], at: BLOCK, blocks: 0 };
    let count = usize::try_from(numbers.next()?).unwrap_or(usize::MAX);
    if count > SEGMENT_LIMIT {
        return Err(broken());
    }
    let mut map = Vec::new();
    for _ in 0..count {
        map.push((numbers.next()?, numbers.next()?));
    }
    Ok((map, numbers.blocks * BLOCK as u64))
}

struct Lines<'a, R> {
    input: &'a mut R,
    block: [u8; BLOCK],
    at: usize,
    blocks: u64,
}

impl<R: Read> Lines<'_, R> {
    fn next(&mut self) -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            if self.at == BLOCK {
                self.input.read_exact(&mut self.block)?;
                self.at = 0;
                self.blocks += 1;
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' => return decimal(&digits).ok_or_else(broken),
                b'0'..=b'9' if digits.len() < 20 => digits.push(byte),
                _ => return Err(broken()),
            }
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the map of a sparse file is broken")
}

/// Checks a map against the sizes it must agree with. `stored` is the data in the archive, in bytes.
pub(super) fn shape(size: u64, map: &[(u64, u64)], stored: u64) -> Result<Shape, &'static str> {
    if map.len() > SEGMENT_LIMIT {
        return Err("the map of a sparse file is too long");
    }
    let segments = map.iter().map(|(offset, length)| Segment { offset: *offset, length: *length });
    let mut shape = Shape { size, segments: segments.collect() };
    if !shape.is_sane() {
        return Err("the map of a sparse file does not fit the file");
    }
    // An empty one says no more than where the file ends.
    shape.segments.retain(|segment| segment.length > 0);
    if shape.stored() != Some(stored) {
        return Err("the map of a sparse file lies about its data");
    }
    Ok(shape)
}
