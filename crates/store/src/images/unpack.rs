//! From archives to a tree of the store in one pass: for each archive one thread decompresses and one goes from entry to entry,
//! this one puts the entries together, the others hash and write. The archives may be the layers of an image.

use super::members::{self, Archive, Contents, Hearing, Job, Next, Reader, Told};
use super::{KeptBlob, Limits, Made};
use crate::cas::{Cas, Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::memtree::{MemTree, Number};
use crate::oci::{self, Blobs, LayerBlob, Platform, Remote};
use crate::parallel;
use crate::progress::{Progress, unless_over};
use crate::tree::Neutralised;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// How many small files wait to be stored.
const WAITING: usize = 24;
/// The piece in which a layer is read to be hashed, in bytes.
const PIECE: usize = 256 << 10;

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
        archives: Vec<Archive<'_>>,
        are_layers: bool,
    ) -> Result<(Digest, Vec<Neutralised>)> {
        self.progress.step("Unpacking");
        let mut tree = MemTree::new(self.limits.quota());
        let mut files = Files::default();
        let (objects, failed) = (&self.cas.objects(), &AtomicBool::new(false));
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let (done, results) = channel();
        let (queue, lease) = (&Mutex::new(queue), self.lease);
        let (limits, bytes) = (self.limits, AtomicU64::new(0));
        let reader = &Reader {
            objects,
            lease,
            limits,
            are_layers,
            failed,
            jobs: AtomicUsize::new(0),
            bytes,
        };
        std::thread::scope(|scope| {
            for _ in 0..parallel::threads() {
                let done = done.clone();
                scope.spawn(move || work(objects, lease, queue, (&done, failed)));
            }
            drop(done);
            let _over = Over(failed);
            let mut archives = archives.into_iter();
            let mut heard = VecDeque::new();
            loop {
                for archive in archives.by_ref().take(members::at_once() - heard.len()) {
                    let (to, from) = members::line(&archive);
                    heard.push_back((from, archive.remote()));
                    let jobs = jobs.clone();
                    scope.spawn(move || reader.read(archive, &to, &jobs));
                }
                let Some((next, remote)) = heard.pop_front() else { break };
                if are_layers {
                    tree.begin_layer()?;
                }
                self.put(&next, remote, (&mut tree, &mut files), &results)?;
                if failed.load(Ordering::Relaxed) {
                    break;
                }
            }
            // Without these the threads end.
            drop((heard, jobs));
            for result in results {
                files.fill(&mut tree, result)?;
            }
            Ok::<_, Error>(())
        })?;
        let manifest = tree.encode()?;
        Ok((self.cas.put_manifest(self.lease, &manifest)?, tree.notes.into_list()))
    }

    /// Puts what is told of an archive into a tree.
    fn put(
        self,
        archive: &Hearing,
        remote: Option<&Remote<'_>>,
        (tree, files): (&mut MemTree, &mut Files),
        results: &Receiver<Stored>,
    ) -> Result<()> {
        let (mut read, mut waits) = (None, false);
        loop {
            for result in results.try_iter() {
                files.fill(tree, result)?;
            }
            if self.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            match archive.next() {
                Next::Told(Told::Begun(consumed, total)) => {
                    // That is what is told already, unless it was waited for.
                    if std::mem::take(&mut waits) {
                        self.progress.step("Unpacking");
                    }
                    read = Some((consumed, total));
                }
                Next::Told(Told::Member(member, contents)) => {
                    for what in member.dropped {
                        tree.notes.add(member.entry.path.as_bytes(), what);
                    }
                    if let Some(file) = tree.put(&member.entry)? {
                        files.put(tree, file, &contents);
                    }
                }
                Next::Told(Told::Failed(error)) => return Err(error),
                Next::NotYet => {}
                Next::End => return Ok(()),
            }
            match (&read, remote) {
                (Some((consumed, total)), _) => self.progress.bytes(consumed.get(), *total),
                (None, Some(remote)) => {
                    // Those who check the layers fetch them.
                    if !std::mem::replace(&mut waits, true) {
                        self.progress.step("Downloading");
                    }
                    self.progress.bytes(remote.fetched(), None);
                }
                (None, None) => {}
            }
        }
    }

    /// Stores an image that others have written; where `keep` says so, its blobs as they are too.
    pub(super) fn image(self, blobs: &Blobs<'_>, platform: &Platform, keep: bool) -> Result<Made> {
        let is_over = &AtomicBool::new(false);
        let give_up = || {
            is_over.store(true, Ordering::Relaxed);
            if let Blobs::Remote(remote) = blobs {
                remote.give_up();
            }
        };
        let found = parallel::meanwhile(|| oci::find(blobs, platform), self.progress, &give_up)?;
        if let Blobs::Remote(_) = blobs {
            let sizes = found.layers.iter().filter_map(|layer| Some(layer.stored.as_ref()?.1));
            oci::refuse_too_large(sizes, self.limits.bytes)?;
        }
        // All of them are what their digests say, or nothing is kept; meanwhile they are unpacked.
        let (tree, notes) = std::thread::scope(|scope| {
            let checked = scope.spawn(|| {
                let bad = parallel::find(&found.layers, &|layer| is_wrong(blobs, layer, is_over))?;
                bad.first().map_or(Ok(()), |layer| Err(oci::wrong(&layer.name)))
            });
            let layers = || -> Vec<Archive<'_>> {
                found.layers.iter().map(|layer| Archive::Layer(blobs, layer)).collect()
            };
            let mut stored = self.layers(layers(), true);
            if let (Err(error), Blobs::Remote(remote)) = (&stored, blobs)
                && !matches!(error, Error::Cancelled | Error::Full { .. })
                && remote.follow_no_more()
            {
                // Where a download broke off, or one mirror sent nonsense, what came first was not the layer.
                stored = self.layers(layers(), true);
            }
            // What can't be unpacked may be something else than its digest says, which is the better reason.
            let is_told = || checked.is_finished() || self.progress.cancelled();
            let is_input = !matches!(stored, Err(Error::Cancelled | Error::Full { .. }));
            while stored.is_err() && is_input && !matches!(blobs, Blobs::Remote(_)) && !is_told() {
                std::thread::sleep(parallel::ASK);
            }
            if stored.is_err() {
                give_up();
            }
            let checked = checked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // Who gave up because of the other has less to say.
            match (checked, stored) {
                (Err(Error::Cancelled), stored) => stored,
                (checked, stored) => checked.and(stored),
            }
        })?;
        let pulled = match (blobs, found.documents.first()) {
            (Blobs::Remote(remote), Some((digest, _))) => Some(remote.place(digest)),
            _ => None,
        };
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
            pulled,
        })
    }

    /// Stores the documents and layers of an image as they are, which were found to be what their digests say.
    fn keep(self, blobs: &Blobs<'_>, found: &oci::Found) -> Result<Vec<KeptBlob>> {
        let objects = self.cas.objects();
        let mut kept: Vec<KeptBlob> = Vec::new();
        for (digest, bytes) in &found.documents {
            let digest = digest.to_string();
            let put = objects.put_bytes(self.lease, bytes)?;
            kept.push(KeptBlob { digest, object: put.digest, size: put.size });
        }
        for layer in &found.layers {
            let Some((digest, _)) = &layer.stored else { continue };
            let digest = digest.to_string();
            if kept.iter().all(|blob| blob.digest != digest) {
                let is_over = || self.progress.cancelled();
                let put = objects.adopt(self.lease, &mut layer.open(blobs)?, &is_over);
                let put = unless_over(put, self.progress)?;
                kept.push(KeptBlob { digest, object: put.digest, size: put.size });
            }
        }
        Ok(kept)
    }
}

/// Whether a layer, as it is stored, is not what its digest says.
fn is_wrong(blobs: &Blobs<'_>, layer: &LayerBlob, is_over: &AtomicBool) -> Result<bool> {
    let Some((digest, size)) = &layer.stored else { return Ok(false) };
    let mut file = layer.open(blobs)?;
    if matches!(blobs, Blobs::Remote(remote) if remote.is_sound(digest)) {
        return Ok(false);
    }
    let mut hasher = digest.hasher();
    let (mut piece, mut read) = (vec![0; PIECE], 0);
    loop {
        if is_over.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
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
    Ok(read != *size || hasher.finish() != *digest)
}

/// What came of a job, by its number.
type Stored = (usize, Result<Digest>);

/// Which files wait for which jobs, and what has come of jobs before it was heard which files wait for them.
#[derive(Default)]
struct Files {
    waiting: HashMap<usize, Number>,
    early: HashMap<usize, Digest>,
}

impl Files {
    /// Says what is in a file, or notes which job will.
    fn put(&mut self, tree: &mut MemTree, file: Number, contents: &Contents) {
        match contents {
            Contents::Nothing => {}
            Contents::Stored(digest) => tree.fill(file, *digest),
            Contents::Job(number) => match self.early.remove(number) {
                Some(digest) => tree.fill(file, digest),
                None => drop(self.waiting.insert(*number, file)),
            },
        }
    }

    /// Says what a job has found.
    fn fill(&mut self, tree: &mut MemTree, (number, put): Stored) -> Result<()> {
        let digest = put?;
        match self.waiting.remove(&number) {
            Some(file) => tree.fill(file, digest),
            None => drop(self.early.insert(number, digest)),
        }
        Ok(())
    }
}

/// Says that nothing more is wanted when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Stores small files until there are no more.
fn work(
    objects: &Objects,
    lease: &Lease,
    queue: &Mutex<Receiver<Job>>,
    (done, failed): (&Sender<Stored>, &AtomicBool),
) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { number, bytes, meta }) = next else { return };
        // Nobody wants it any more; but whoever reads may wait for a place in the queue.
        if failed.load(Ordering::Relaxed) {
            continue;
        }
        let put = objects.put_bytes_of(lease, &bytes, Some(&meta)).map(|put| put.digest);
        failed.fetch_or(put.is_err(), Ordering::Relaxed);
        drop(done.send((number, put)));
    }
}
