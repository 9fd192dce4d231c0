//! Archives as streams of plain bytes: each is read and decompressed by a thread of its own.

use super::Limits;
use crate::archive::TarReader;
use crate::archive::compress::{self, Consumed, StreamLimits};
use crate::error::Result;
use crate::oci::{BlobDigest, BlobHasher, Blobs, LayerBlob};
use crate::tree::EntryPath;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// The piece in which decompressed bytes are handed over.
const PIECE: usize = 256 << 10;
/// How many of these wait.
const PIECES: usize = 16;
/// How much of an archive is looked at to tell what it is.
const FIRST: u64 = 64 << 10;
/// How often who waits for an input asks whether it is still wanted.
const ASK: Duration = Duration::from_millis(50);

/// Says to those who still read something that they do so in vain.
#[derive(Debug, Clone, Default)]
pub(super) struct Over(Arc<AtomicBool>);

impl Over {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// An archive, decompressed.
pub(super) struct Plain {
    pub(super) plain: Box<dyn Read + Send>,
    /// How much of it was read, as it is stored.
    pub(super) consumed: Consumed,
    /// How much that will be, where it is known.
    pub(super) total: Option<u64>,
    /// Whether it fails at its end where it is not what a digest says.
    pub(super) is_checked: bool,
    /// Set, reading it fails.
    pub(super) over: Over,
}

/// Opens an archive, whose size may be known; and the name of its first entry, where it begins with one.
pub(super) fn open(
    input: Box<dyn Read + Send>,
    total: Option<u64>,
    limits: Limits,
) -> Result<(Plain, Option<EntryPath>)> {
    let over = Over::default();
    let (mut plain, consumed) = unpacked(input, limits, None, &over)?;
    let mut start = Vec::new();
    (&mut plain).take(FIRST).read_to_end(&mut start).map_err(compress::input_error)?;
    let mut archive = TarReader::new(&start[..], 16);
    let mut first = None;
    // The folder itself says nothing.
    while let Ok(Some(member)) = archive.next_member() {
        if !member.entry.path.is_root() {
            first = Some(member.entry.path);
            break;
        }
    }
    let plain = Box::new(io::Cursor::new(start).chain(plain));
    Ok((Plain { plain, consumed, total, is_checked: false, over }, first))
}

/// Opens a layer, which others may still have to fetch.
pub(super) fn layer(
    blobs: &Blobs<'_>,
    layer: &LayerBlob,
    limits: Limits,
    over: &Over,
) -> Result<Plain> {
    let (input, total) = opened(blobs, layer, over)?;
    let (plain, consumed) = unpacked(input, limits, Some(layer.plain.clone()), over)?;
    let (plain, over) = (Box::new(plain), over.clone());
    Ok(Plain { plain, consumed, total, is_checked: true, over })
}

/// A layer as it is stored, or as it comes; and its size where that is known.
fn opened(
    blobs: &Blobs<'_>,
    layer: &LayerBlob,
    over: &Over,
) -> Result<(Box<dyn Read + Send>, Option<u64>)> {
    if let (Blobs::Remote(remote), Some((digest, size))) = (blobs, &layer.stored) {
        let is_over = over.clone();
        if let Some(following) = remote.follow(digest, *size, move || is_over.is_set())? {
            return Ok((Box::new(following), Some(*size)));
        }
        remote.wait(digest, *size, &|| over.is_set())?;
    }
    let file = layer.open(blobs)?;
    let total = file.metadata().ok().map(|data| data.len());
    Ok((Box::new(file), total))
}

/// What comes out of an archive, decompressed by a thread of its own; all of it has this hash, or it ends in an error.
fn unpacked(
    input: Box<dyn Read + Send>,
    limits: Limits,
    wanted: Option<BlobDigest>,
    over: &Over,
) -> Result<(Pieces, Consumed)> {
    // What headers and padding of the largest permitted archive may take on top.
    let headers = limits.entries.saturating_mul(4096).saturating_add(64 << 20);
    let stream = StreamLimits { bytes: limits.bytes.saturating_add(headers), ratio: limits.ratio };
    let (mut plain, consumed) = compress::decompress(input, stream)?;
    let (pieces, receiver) = sync_channel::<io::Result<Vec<u8>>>(PIECES);
    std::thread::spawn(move || {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut plain).take(PIECE as u64).read_to_end(&mut piece);
            let (is_end, failed) = (matches!(read, Ok(0)), read.err());
            // What was read before an error is still what was read.
            if !piece.is_empty() && pieces.send(Ok(piece)).is_err() {
                return;
            }
            if let Some(error) = failed {
                drop(pieces.send(Err(error)));
                return;
            }
            if is_end {
                return;
            }
        }
    });
    let wanted = wanted.map(|wanted| (wanted.hasher(), wanted));
    let piece = io::Cursor::default();
    Ok((Pieces { receiver, piece, wanted, over: over.clone() }, consumed))
}

/// The pieces one after the other, hashed here: to decompress them is work enough for the other thread.
struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
    wanted: Option<(BlobHasher, BlobDigest)>,
    over: Over,
}

impl Pieces {
    /// The next piece; nothing at the end.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while !self.over.is_set() {
            match self.receiver.recv_timeout(ASK) {
                Ok(piece) => return piece.map(Some),
                // The thread has come to the end.
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(io::Error::other("it is no longer wanted"))
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.piece.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let Some(piece) = self.next()? else {
                let is_wrong =
                    |(hasher, wanted): (BlobHasher, BlobDigest)| hasher.finish() != wanted;
                if self.wanted.take().is_some_and(is_wrong) {
                    return Err(io::Error::other("a layer is not what its digest says"));
                }
                return Ok(0);
            };
            if let Some((hasher, _)) = &mut self.wanted {
                hasher.update(&piece);
            }
            self.piece = io::Cursor::new(piece);
        }
    }
}
