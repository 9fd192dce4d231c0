//! From an archive to a tree of the store in one pass: one thread reads and decompresses, this one goes from entry to entry, the
//! others hash and write.

use super::{Limits, Made};
use crate::archive::TarReader;
use crate::archive::compress::{self, Consumed, StreamLimits};
use crate::cas::{Cas, Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::memtree::{MemTree, Number};
use crate::parallel;
use crate::progress::Progress;
use crate::tree::{Expand, Kind, Meta, Shape};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Contents up to this size, in bytes, are handed to another thread whole.
const WHOLE: u64 = 1 << 20;
/// How many of these wait.
const WAITING: usize = 24;
/// The piece in which decompressed bytes are handed over.
const PIECE: usize = 256 << 10;
/// How many of these wait.
const PIECES: usize = 16;

/// An archive as it comes, and its size where that is known.
pub(super) type Input = (Box<dyn Read + Send>, Option<u64>);

/// Stores what is in an archive.
pub(super) fn store(
    cas: &Cas,
    lease: &Lease,
    (input, total): Input,
    limits: Limits,
    progress: &dyn Progress,
) -> Result<Made> {
    progress.step("Unpacking");
    let (plain, consumed) = unpacked(input, limits)?;
    let mut tree = MemTree::new(limits.quota());
    let objects = cas.objects();
    let (jobs, queue) = sync_channel::<Job>(WAITING);
    let (done, results) = channel();
    let (queue, failed) = (&Mutex::new(queue), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..parallel::threads() {
            let (done, objects) = (done.clone(), objects.clone());
            scope.spawn(move || work(&objects, lease, queue, (&done, failed)));
        }
        drop(done);
        // Where it fails it lets go of the queue, which ends the threads.
        let storing = Storing { objects: &objects, lease, jobs, failed, consumed, total, progress };
        storing.all(plain, limits, &mut tree)?;
        for (file, put) in results {
            tree.fill(file, put?);
        }
        Ok::<_, Error>(())
    })?;
    let manifest = tree.encode().map_err(Error::Input)?;
    let tree_digest = cas.put_manifest(lease, &manifest)?;
    Ok(Made { tree: tree_digest, notes: tree.notes.into_list(), source: "tar archive".into() })
}

/// A small file to be stored.
struct Job {
    file: Number,
    bytes: Vec<u8>,
    meta: Meta,
}

type Done = (Number, Result<Digest>);

/// Stores small files until there are no more.
fn work(
    objects: &Objects,
    lease: &Lease,
    queue: &Mutex<Receiver<Job>>,
    (done, failed): (&Sender<Done>, &AtomicBool),
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { file, bytes, meta }) = next else { return };
        let put = objects.put_bytes_of(lease, &bytes, Some(&meta)).map(|put| put.digest);
        failed.fetch_or(put.is_err(), Ordering::Relaxed);
        if done.send((file, put)).is_err() {
            return;
        }
    }
}

struct Storing<'a> {
    objects: &'a Objects,
    lease: &'a Lease,
    jobs: SyncSender<Job>,
    /// Whether a thread could not store something: what follows is in vain.
    failed: &'a AtomicBool,
    consumed: Consumed,
    total: Option<u64>,
    progress: &'a dyn Progress,
}

impl Storing<'_> {
    fn all(self, plain: impl Read, limits: Limits, tree: &mut MemTree) -> Result<()> {
        // Extension headers count as well: at most three in front of each entry.
        let mut archive = TarReader::new(plain, limits.entries.saturating_mul(4));
        while let Some(member) = archive.next_member()? {
            if self.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            if self.failed.load(Ordering::Relaxed) {
                // Why, is among the results.
                return Ok(());
            }
            for what in member.dropped {
                tree.notes.add(member.entry.path.as_bytes(), what);
            }
            let Some(file) = tree.put(&member.entry)? else { continue };
            let Kind::File(shape) = &member.entry.kind else { continue };
            let data = Watched { inner: archive.data(), storing: &self };
            if let Some(digest) = self
                .file(file, shape, data, member.entry.meta)
                .map_err(|error| full(error, tree.bytes()))?
            {
                tree.fill(file, digest);
            }
        }
        self.progress.bytes(self.consumed.get(), self.total);
        Ok(())
    }

    /// Stores a file here, or has it stored.
    fn file(
        &self,
        file: Number,
        shape: &Shape,
        data: impl Read,
        meta: Meta,
    ) -> Result<Option<Digest>> {
        let mut data = Expand::new(data, shape);
        if shape.size > WHOLE {
            let put = self.objects.put_of(self.lease, &mut data, Some(&meta));
            return put.map(|put| Some(put.digest)).map_err(input_error);
        }
        let mut bytes = vec![0; usize::try_from(shape.size).unwrap_or(0)];
        data.read_exact(&mut bytes).map_err(compress::input_error)?;
        // The threads end only when the queue does.
        self.jobs.send(Job { file, bytes, meta }).map(|()| None).map_err(|_| Error::Cancelled)
    }
}

fn input_error(error: Error) -> Error {
    match error {
        Error::Input(error) => compress::input_error(error),
        other => other,
    }
}

/// A full disk: at least this much was needed.
fn full(error: Error, needed: u64) -> Error {
    match &error {
        Error::Full { path, .. } => {
            let path = path.clone();
            error.with_space(&path, Some(needed), None)
        }
        _ => error,
    }
}

/// Tells the progress of the compressed side while data flows, also within one large file.
struct Watched<'a, R> {
    inner: R,
    storing: &'a Storing<'a>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Storing { consumed, total, progress, .. } = self.storing;
        progress.bytes(consumed.get(), *total);
        self.inner.read(buffer)
    }
}

/// What comes out of an archive, decompressed by a thread of its own.
fn unpacked(input: Box<dyn Read + Send>, limits: Limits) -> Result<(impl Read, Consumed)> {
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
    Ok((Pieces { receiver, piece: io::Cursor::default() }, consumed))
}

/// The pieces one after the other.
struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.piece.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.receiver.recv() {
                Ok(piece) => self.piece = io::Cursor::new(piece?),
                // The thread has come to the end.
                Err(_) => return Ok(0),
            }
        }
    }
}
