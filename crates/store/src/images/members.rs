//! An archive, gone through by a thread of its own: what is in its files is stored, its entries are told in their order to who
//! puts the tree together. So the layers of an image are unpacked at once, though each is put over the one before.

use super::Limits;
use super::stream::{self, Over, Plain};
use crate::archive::compress::{self, Consumed};
use crate::archive::{Member, TarReader};
use crate::cas::{Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::memtree::is_whiteout;
use crate::oci::{Blobs, LayerBlob, Remote};
use crate::tree::{Entry, Expand, Kind, Meta};
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How many archives are read at once at most: each may need what a decompressor needs.
const AT_ONCE: usize = 4;
/// What may be told of an archive before it is taken, in bytes.
const AHEAD: usize = 8 << 20;
/// What an entry takes beside its names and attributes, in bytes.
const ENTRY: usize = 512;
/// How often who waits looks around.
const LOOK: Duration = Duration::from_millis(50);
/// Contents up to this size, in bytes, are handed to another thread whole.
const WHOLE: u64 = 1 << 20;

/// How many archives are read at once.
pub(super) fn at_once() -> usize {
    crate::parallel::threads().clamp(2, AT_ONCE)
}

/// Something to be gone through.
pub(super) enum Archive<'a> {
    /// An archive that is open.
    Open(Plain),
    /// A layer of an image.
    Layer(&'a Blobs<'a>, &'a LayerBlob),
}

impl<'a> Archive<'a> {
    /// Where it is fetched from.
    pub(super) fn remote(&self) -> Option<&'a Remote<'a>> {
        match self {
            Self::Layer(Blobs::Remote(remote), _) => Some(remote),
            _ => None,
        }
    }
}

/// What is told of an archive.
pub(super) enum Told {
    /// It is open: how far it was read, and how large it is.
    Begun(Consumed, Option<u64>),
    /// An entry.
    Member(Box<Member>, Contents),
    /// Why there is no more.
    Failed(Error),
}

/// What is in an entry.
pub(super) enum Contents {
    /// It is no file, or one that says something of other entries.
    Nothing,
    /// This.
    Stored(Digest),
    /// What the job of this number finds.
    Job(usize),
}

/// A small file to be stored.
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) meta: Meta,
}

/// A line from who goes through an archive to who puts the tree together.
pub(super) fn line(archive: &Archive<'_>) -> (Telling, Hearing) {
    let over = match archive {
        Archive::Open(plain) => plain.over.clone(),
        Archive::Layer(..) => Over::default(),
    };
    let (to, from) = channel();
    let untaken = Arc::<Untaken>::default();
    let telling = Telling { to, untaken: Arc::clone(&untaken), over: over.clone() };
    (telling, Hearing { from, untaken, over })
}

/// How much was told and not yet taken.
#[derive(Default)]
struct Untaken {
    bytes: Mutex<usize>,
    less: Condvar,
}

/// The end that tells.
pub(super) struct Telling {
    to: Sender<Told>,
    untaken: Arc<Untaken>,
    over: Over,
}

impl Telling {
    /// Tells it, once there is room for that; false where nobody listens any more.
    fn tell(&self, told: Told) -> bool {
        let mut bytes = self.untaken.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *bytes > AHEAD && !self.over.is_set() {
            let waited = self.untaken.less.wait_timeout(bytes, LOOK);
            bytes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *bytes += weight(&told);
        drop(bytes);
        self.to.send(told).is_ok()
    }
}

/// The end that hears. Dropped, the rest of the archive is not read.
pub(super) struct Hearing {
    from: Receiver<Told>,
    untaken: Arc<Untaken>,
    over: Over,
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.over.set();
    }
}

impl Hearing {
    /// What is told next, unless that takes too long.
    pub(super) fn next(&self) -> Next {
        let told = match self.from.recv_timeout(LOOK) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => return Next::NotYet,
            Err(RecvTimeoutError::Disconnected) => return Next::End,
        };
        let mut bytes = self.untaken.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *bytes;
        *bytes -= weight(&told);
        // Not for each entry.
        if before > AHEAD / 2 && *bytes <= AHEAD / 2 {
            self.untaken.less.notify_one();
        }
        Next::Told(told)
    }
}

/// What is told next.
pub(super) enum Next {
    Told(Told),
    NotYet,
    End,
}

/// About what it takes to keep this.
fn weight(told: &Told) -> usize {
    let Told::Member(member, _) = told else { return ENTRY };
    let Entry { path, kind, meta } = &member.entry;
    let more = match kind {
        Kind::Symlink(target) => target.len(),
        Kind::HardLink(target) => target.as_bytes().len(),
        Kind::File(shape) => size_of_val(&shape.segments[..]),
        _ => 0,
    };
    let dropped: usize = member.dropped.iter().map(|note| size_of_val(note) + note.len()).sum();
    ENTRY + path.as_bytes().len() + more + meta.weight() + dropped
}

/// Goes through archives, several at once.
pub(super) struct Reader<'a> {
    pub(super) objects: &'a Objects,
    pub(super) lease: &'a Lease,
    pub(super) limits: Limits,
    /// Whether they are layers.
    pub(super) are_layers: bool,
    /// Set where something could not be stored: what follows is in vain.
    pub(super) failed: &'a AtomicBool,
    /// How many jobs there were.
    pub(super) jobs: AtomicUsize,
    /// The sizes of all files so far, in bytes.
    pub(super) bytes: AtomicU64,
}

impl Reader<'_> {
    /// Goes through one.
    pub(super) fn read(&self, archive: Archive<'_>, to: &Telling, jobs: &SyncSender<Job>) {
        if let Err(error) = self.all(archive, to, jobs) {
            // Nobody may want to know it.
            to.tell(Told::Failed(error));
        }
    }

    fn all(&self, archive: Archive<'_>, to: &Telling, jobs: &SyncSender<Job>) -> Result<()> {
        let plain = match archive {
            Archive::Open(plain) => plain,
            Archive::Layer(blobs, layer) => stream::layer(blobs, layer, self.limits, &to.over)?,
        };
        let Plain { plain, consumed, total, is_checked, .. } = plain;
        to.tell(Told::Begun(consumed, total));
        // Extension headers count as well: at most three in front of each entry.
        let headers = self.limits.entries.saturating_mul(4);
        let mut archive = match is_checked {
            true => TarReader::of_checked(plain, headers),
            false => TarReader::new(plain, headers),
        };
        while let Some(member) = archive.next_member()? {
            if self.failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let contents = self.contents(&member.entry, archive.data(), jobs)?;
            if !to.tell(Told::Member(Box::new(member), contents)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Stores what is in a file here, or has it stored.
    fn contents(&self, entry: &Entry, data: impl Read, jobs: &SyncSender<Job>) -> Result<Contents> {
        let Kind::File(shape) = &entry.kind else { return Ok(Contents::Nothing) };
        if self.are_layers && is_whiteout(&entry.path) {
            return Ok(Contents::Nothing);
        }
        // The tree counts them too, but what is ahead of it is on disk already.
        let bytes = shape.size.saturating_add(self.bytes.fetch_add(shape.size, Ordering::Relaxed));
        if bytes > self.limits.bytes {
            let most = self.limits.bytes;
            let reason = format!("the files are larger than {most} bytes in all");
            return Err(Error::refused(entry.path.as_bytes(), reason));
        }
        let mut data = Expand::new(data, shape);
        let meta = &entry.meta;
        if shape.size > WHOLE {
            let put = self.objects.put_of(self.lease, &mut data, Some(meta));
            let put = put.map_err(|error| full(input_error(error), bytes))?;
            return Ok(Contents::Stored(put.digest));
        }
        let mut whole = vec![0; usize::try_from(shape.size).unwrap_or(0)];
        data.read_exact(&mut whole).map_err(compress::input_error)?;
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let job = Job { number, bytes: whole, meta: meta.clone() };
        // The threads end only when the queue does.
        jobs.send(job).map_err(|_| Error::Cancelled)?;
        Ok(Contents::Job(number))
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
