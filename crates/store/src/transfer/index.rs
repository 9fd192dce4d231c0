//! The index of a pack: which chunks are in it, frame by frame. Pure.
//!
//! ```text
//! the line `volt-pack 1` and a newline
//! number of frames; each: its length in the pack, its number of chunks, and each chunk: its length, its BLAKE3 (32 bytes)
//! the byte `.`
//! ```
//!
//! Numbers are LEB128 of the shortest form. Frames lie in the pack one after the other, from its first byte to its last; each is a zstd
//! frame of its chunks, one after the other.

use super::CHUNK;
use crate::digest::Digest;
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"volt-pack 1\n";
/// How much a frame has of chunks at most, in bytes.
pub(super) const FRAME: u64 = 2 * CHUNK;
/// How long a frame may be in the pack, in bytes: what does not compress takes a little more than it is.
const STORED: u64 = FRAME + (64 << 10);

/// A frame of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it begins in the pack.
    pub(super) offset: u64,
    /// How long it is there, in bytes.
    pub(super) stored: u64,
    /// Its chunks with their lengths.
    pub(super) chunks: Vec<(Digest, u64)>,
}

impl Frame {
    /// How long its chunks are together.
    pub(super) fn plain(&self) -> u64 {
        self.chunks.iter().map(|(_, length)| length).sum()
    }
}

/// Writes an index.
pub(super) fn encode(frames: &[Frame]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    number(&mut out, frames.len() as u64);
    for frame in frames {
        number(&mut out, frame.stored);
        number(&mut out, frame.chunks.len() as u64);
        for (digest, length) in &frame.chunks {
            number(&mut out, *length);
            out.extend_from_slice(digest.as_bytes());
        }
    }
    out.push(b'.');
    out
}

/// Reads an index of a pack that is `size` bytes long, where that is known.
pub(super) fn decode(bytes: &[u8], size: Option<u64>) -> Result<Vec<Frame>> {
    let mut input = Input { rest: bytes, what: "index" };
    input.expect(MAGIC)?;
    let count = input.count(34)?;
    let (mut frames, mut offset) = (Vec::new(), 0_u64);
    for _ in 0..count {
        let stored = input.number()?;
        let count = input.count(33)?;
        let mut frame = Frame { offset, stored, chunks: Vec::new() };
        let mut plain = 0_u64;
        for _ in 0..count {
            let length = input.number()?;
            if length == 0 || length > CHUNK {
                return Err(input.wrong("a chunk is empty or too long"));
            }
            plain += length;
            frame.chunks.push((input.digest()?, length));
        }
        if plain == 0 || plain > FRAME || stored == 0 || stored > STORED {
            return Err(input.wrong("a frame is empty or too long"));
        }
        offset += stored;
        frames.push(frame);
    }
    input.end()?;
    if size.is_some_and(|size| size != offset) {
        return Err(input.wrong("its pack is of another length"));
    }
    Ok(frames)
}

/// LEB128: seven bits a byte, the lowest first, the high bit where more follow.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits fit");
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

/// What is left to be read of a list.
pub(super) struct Input<'a> {
    pub(super) rest: &'a [u8],
    pub(super) what: &'static str,
}

impl Input<'_> {
    pub(super) fn wrong(&self, reason: &str) -> Error {
        Error::Damaged(format!("its {} can't be read: {reason}", self.what))
    }

    pub(super) fn expect(&mut self, bytes: &[u8]) -> Result<()> {
        self.rest =
            self.rest.strip_prefix(bytes).ok_or_else(|| self.wrong("it is of another kind"))?;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<()> {
        self.expect(b".")?;
        if self.rest.is_empty() { Ok(()) } else { Err(self.wrong("something follows its end")) }
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let (byte, rest) =
                self.rest.split_first().ok_or_else(|| self.wrong("it ends too early"))?;
            self.rest = rest;
            let low = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && low > 1) || (*byte == 0 && shift > 0) {
                return Err(self.wrong("a number is too large or not of the shortest form"));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// A number of things that take at least `least` bytes each: not more than there can be.
    pub(super) fn count(&mut self, least: usize) -> Result<u64> {
        let count = self.number()?;
        if count > (self.rest.len() / least) as u64 {
            return Err(self.wrong("it has fewer entries than it says"));
        }
        Ok(count)
    }

    pub(super) fn digest(&mut self) -> Result<Digest> {
        let (digest, rest) =
            self.rest.split_first_chunk::<32>().ok_or_else(|| self.wrong("it ends too early"))?;
        self.rest = rest;
        Ok(Digest::from_bytes(*digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let chunk = (any::<[u8; 32]>(), 1..=CHUNK / 4);
        let frame = (1..=STORED, prop::collection::vec(chunk, 1..5));
        prop::collection::vec(frame, 0..6).prop_map(|all| {
            let mut offset = 0;
            let mut one = |(stored, chunks): (u64, Vec<([u8; 32], u64)>)| {
                let chunks = chunks.into_iter().map(|(d, l)| (Digest::from_bytes(d), l)).collect();
                offset += stored;
                Frame { offset: offset - stored, stored, chunks }
            };
            all.into_iter().map(&mut one).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in frames()) {
            let size = frames.iter().map(|frame| frame.stored).sum();
            let bytes = encode(&frames);
            prop_assert_eq!(decode(&bytes, Some(size)).unwrap(), frames);
            prop_assert!(decode(&bytes, Some(size + 1)).is_err());
            prop_assert!(decode(&bytes[..bytes.len() - 1], None).is_err());
        }

        #[test]
        fn whatever_is_read_is_written_so(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let bytes = [MAGIC, &bytes].concat();
            if let Ok(frames) = decode(&bytes, None) {
                prop_assert_eq!(encode(&frames), bytes);
            }
        }
    }

    #[test]
    fn lies_are_refused() {
        let with = |rest: &[u8]| [MAGIC, rest].concat();
        for bad in [
            b"".to_vec(),
            b"volt-pack 2\n\0.".to_vec(),
            with(b"\0"),
            with(b"\0.."),
            with(b"\x80\0."),
            with(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f."),
            with(b"\xff\xff\xff\x7f."),
            with(b"\x01\x01\0."),
            with(&[&b"\x01\x01\x01\0"[..], &[0; 32], b"."].concat()),
        ] {
            assert!(decode(&bad, None).is_err(), "{bad:?}");
        }
        assert_eq!(decode(&with(b"\0."), Some(0)).unwrap(), []);
    }
}
