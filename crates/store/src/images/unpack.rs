//! From archives to a tree of the store in one pass: one thread reads and decompresses, this one goes from entry to entry, the
//! others hash and write. The archives may be the layers of an image.

use super::{KeptBlob, Limits, Made};
use crate::archive::TarReader;
use crate::archive::compress::{self, Consumed, StreamLimits};
use crate::cas::{Cas, Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::memtree::{MemTree, Number};
use crate::oci::{self, Blobs, LayerBlob, Platform, Sha256};
use crate::parallel;
use crate::progress::Progress;
use crate::tree::{EntryPath, Expand, Kind, Meta, Neutralised, Shape};
use sha2::Digest as _;
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

/// How much of an archive is looked at to tell what it is.
const FIRST: u64 = 64 << 10;

/// An archive, decompressed.
pub(super) struct Plain {
    pub(super) plain: Box<dyn Read>,
    consumed: Consumed,
    total: Option<u64>,
    /// Whether it fails at its end where it is not what a digest says.
    is_checked: bool,
}

/// Opens an archive, whose size may be known; and the name of its first entry, where it begins with one.
pub(super) fn open(
    input: Box<dyn Read + Send>,
    total: Option<u64>,
    limits: Limits,
) -> Result<(Plain, Option<EntryPath>)> {
    let (mut plain, consumed) = unpacked(input, limits, None)?;
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
    Ok((Plain { plain, consumed, total, is_checked: false }, first))
}

/// Where trees are stored.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub(super) cas: &'a Cas,
    pub(super) lease: &'a Lease,
    pub(super) limits: Limits,
    pub(super) progress: &'a dyn Progress,
}

impl Store<'_> {
    /// Stores what is in archives one over the other, as layers or not; the tree, and what was neutralised.
    pub(super) fn layers(
        self,
        archives: &mut dyn Iterator<Item = Result<Plain>>,
        are_layers: bool,
    ) -> Result<(Digest, Vec<Neutralised>)> {
        self.progress.step("Unpacking");
        let mut tree = MemTree::new(self.limits.quota());
        let objects = self.cas.objects();
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let (done, results) = channel();
        let (queue, failed) = (&Mutex::new(queue), &AtomicBool::new(false));
        let lease = self.lease;
        std::thread::scope(|scope| {
            for _ in 0..parallel::threads() {
                let (done, objects) = (done.clone(), objects.clone());
                scope.spawn(move || work(&objects, lease, queue, (&done, failed)));
            }
            drop(done);
            // Where it fails it lets go of the queue, which ends the threads.
            let storing = Storing { objects: &objects, store: self, jobs, failed };
            for archive in archives {
                if are_layers {
                    tree.begin_layer()?;
                }
                storing.all(archive?, &mut tree)?;
            }
            drop(storing);
            for (file, put) in results {
                tree.fill(file, put?);
            }
            Ok::<_, Error>(())
        })?;
        let manifest = tree.encode().map_err(Error::Input)?;
        Ok((self.cas.put_manifest(self.lease, &manifest)?, tree.notes.into_list()))
    }

    /// Stores an image that others have written; where `keep` says so, its blobs as they are too.
    pub(super) fn image(self, blobs: &Blobs<'_>, platform: &Platform, keep: bool) -> Result<Made> {
        let found = oci::find(blobs, platform)?;
        let opened = |layer: &LayerBlob| self.layer(blobs, layer);
        // All of them are what their digests say, or nothing is kept; meanwhile they are unpacked.
        let (tree, notes) = std::thread::scope(|scope| {
            let checked = scope.spawn(|| {
                let bad = parallel::find(&found.layers, &|layer| is_wrong(blobs, layer))?;
                bad.first().map_or(Ok(()), |layer| Err(oci::wrong(&layer.name)))
            });
            let stored = self.layers(&mut found.layers.iter().map(opened), true);
            let checked = checked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // Who gave up because of the other has less to say.
            match (checked, stored) {
                (Err(Error::Cancelled), stored) => stored,
                (checked, stored) => checked.and(stored),
            }
        })?;
        let kept = if keep { self.keep(blobs, &found)? } else { Vec::new() };
        let architecture = found.config.architecture;
        let is_word = |text: &String| {
            !text.is_empty() && text.len() < 32 && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        Ok(Made {
            config: Some(oci::run_config(found.config.config)),
            architecture: Some(architecture).filter(is_word),
            tree,
            notes,
            source: found.source.into(),
            blobs: kept,
        })
    }

    /// Stores the documents and layers of an image as they are, which were found to be what their digests say.
    fn keep(self, blobs: &Blobs<'_>, found: &oci::Found) -> Result<Vec<KeptBlob>> {
        let objects = self.cas.objects();
        let mut kept: Vec<KeptBlob> = Vec::new();
        for bytes in &found.documents {
            let digest = Sha256::of(&sha2::Sha256::digest(bytes)).to_string();
            let put = objects.put_bytes(self.lease, bytes)?;
            kept.push(KeptBlob { digest, object: put.digest, size: put.size });
        }
        for layer in &found.layers {
            let Some((digest, _)) = &layer.stored else { continue };
            let digest = digest.to_string();
            if kept.iter().all(|blob| blob.digest != digest) {
                let put = objects.adopt(self.lease, &mut layer.open(blobs)?)?;
                kept.push(KeptBlob { digest, object: put.digest, size: put.size });
            }
        }
        Ok(kept)
    }

    fn layer(self, blobs: &Blobs<'_>, layer: &LayerBlob) -> Result<Plain> {
        if let (Blobs::Remote(remote), Some((digest, size))) = (blobs, &layer.stored) {
            // Those who check the layers fetch them.
            self.progress.step("Downloading");
            remote.wait(digest, *size, self.progress)?;
            self.progress.step("Unpacking");
        }
        let file = layer.open(blobs)?;
        let total = file.metadata().ok().map(|data| data.len());
        let (plain, consumed) = unpacked(Box::new(file), self.limits, Some(layer.plain.clone()))?;
        Ok(Plain { plain: Box::new(plain), consumed, total, is_checked: true })
    }
}

/// Whether a layer, as it is stored, is not what its digest says.
fn is_wrong(blobs: &Blobs<'_>, layer: &LayerBlob) -> Result<bool> {
    let Some((digest, size)) = &layer.stored else { return Ok(false) };
    let mut file = layer.open(blobs)?;
    let mut hasher = sha2::Sha256::new();
    let (mut piece, mut read) = (vec![0; PIECE], 0);
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                hasher.update(&piece[..length]);
                read += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Input(error)),
        }
    }
    Ok(read != *size || Sha256::of(&hasher.finalize()) != *digest)
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
    store: Store<'a>,
    jobs: SyncSender<Job>,
    /// Whether a thread could not store something: what follows is in vain.
    failed: &'a AtomicBool,
}

impl Storing<'_> {
    fn all(&self, archive: Plain, tree: &mut MemTree) -> Result<()> {
        let Plain { plain, consumed, total, is_checked } = archive;
        let Store { limits, progress, .. } = self.store;
        // Extension headers count as well: at most three in front of each entry.
        let headers = limits.entries.saturating_mul(4);
        let mut archive = match is_checked {
            true => TarReader::of_checked(plain, headers),
            false => TarReader::new(plain, headers),
        };
        while let Some(member) = archive.next_member()? {
            if progress.cancelled() {
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
            let data = Watched { inner: archive.data(), consumed: &consumed, total, progress };
            if let Some(digest) = self
                .file(file, shape, data, member.entry.meta)
                .map_err(|error| full(error, tree.bytes()))?
            {
                tree.fill(file, digest);
            }
        }
        progress.bytes(consumed.get(), total);
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
            let put = self.objects.put_of(self.store.lease, &mut data, Some(&meta));
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
    consumed: &'a Consumed,
    total: Option<u64>,
    progress: &'a dyn Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.progress.bytes(self.consumed.get(), self.total);
        self.inner.read(buffer)
    }
}

/// What comes out of an archive, decompressed by a thread of its own; all of it has this hash, or it ends in an error.
fn unpacked(
    input: Box<dyn Read + Send>,
    limits: Limits,
    wanted: Option<Sha256>,
) -> Result<(impl Read, Consumed)> {
    // What headers and padding of the largest permitted archive may take on top.
    let headers = limits.entries.saturating_mul(4096).saturating_add(64 << 20);
    let stream = StreamLimits { bytes: limits.bytes.saturating_add(headers), ratio: limits.ratio };
    let (mut plain, consumed) = compress::decompress(input, stream)?;
    let (pieces, receiver) = sync_channel::<io::Result<Vec<u8>>>(PIECES);
    std::thread::spawn(move || {
        let mut hasher = sha2::Sha256::new();
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut plain).take(PIECE as u64).read_to_end(&mut piece);
            let (is_end, failed) = (matches!(read, Ok(0)), read.err());
            if wanted.is_some() {
                hasher.update(&piece);
            }
            // What was read before an error is still what was read.
            if !piece.is_empty() && pieces.send(Ok(piece)).is_err() {
                return;
            }
            if let Some(error) = failed {
                drop(pieces.send(Err(error)));
                return;
            }
            if is_end {
                if wanted.is_some_and(|wanted| wanted != Sha256::of(&hasher.finalize())) {
                    let what = "a layer is not what its digest says";
                    drop(pieces.send(Err(io::Error::other(what))));
                }
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
