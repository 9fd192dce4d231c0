//! Reading every object there is, by as many threads as there are processors.
//!
//! Each takes a whole folder, and reads what is in it as it is listed. What is large is put off: it is read last, the largest
//! first, so that nobody is left alone with it.

use super::Objects;
use super::index::{Stamp, Stamps};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::parallel::{self, ASK, Until};
use crate::progress::Progress;
use rustix::fs::{CWD, Dir, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// What is read at once, in bytes: most objects whole.
const PIECE: usize = 128 << 10;
/// What is larger is put off, in bytes.
const LARGE: u64 = 1 << 20;
/// After so many bytes it is told how far a thread is.
const TOLD: u64 = 4 << 20;

/// What was found of the objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Those that are what their name says, with their sizes in bytes.
    pub(super) good: HashMap<Digest, u64>,
    /// Those that are not.
    pub(super) bad: HashSet<Digest>,
}

/// How far the whole is when a pass has read so much: how much was read, and of how much where that is known, in bytes.
type Far<'a> = &'a dyn Fn(u64) -> (u64, Option<u64>);

/// One that was put off.
struct Large {
    size: u64,
    digest: Digest,
}

/// What one thread has found.
struct Share {
    good: Vec<(Digest, u64)>,
    bad: Vec<Digest>,
    large: Vec<Large>,
    stamps: Stamps,
}

/// A thread that reads.
struct Reader<'a> {
    objects: &'a Objects,
    share: Share,
    buffer: Vec<u8>,
    /// How much was read and not told yet, in bytes.
    read: u64,
    done: Sender<u64>,
    is_over: &'a AtomicBool,
}

impl Objects {
    /// Reads every object; what was found, and by what each that is good is known from now on.
    pub(super) fn read_all(&self, progress: &dyn Progress) -> Result<(Seen, Stamps)> {
        progress.step("Reading the objects");
        let is_over = &AtomicBool::new(false);
        let read = |reader: &mut Reader<'_>, folder: &PathBuf| reader.read_folder(folder);
        let folders = crate::images::entries(self.dir())?;
        let mut shares =
            by_all(&folders, &read, (self, is_over), (progress, &|done| (done, None)))?;
        let put_off = shares.iter_mut().flat_map(|share| std::mem::take(&mut share.large));
        let mut large: Vec<Large> = put_off.collect();
        large.sort_unstable_by_key(|object| std::cmp::Reverse(object.size));
        let before: u64 = shares.iter().flat_map(|share| &share.good).map(|(_, size)| size).sum();
        let total = before + large.iter().map(|object| object.size).sum::<u64>();
        let read = |reader: &mut Reader<'_>, object: &Large| {
            reader.read((CWD, &self.path(&object.digest)), &object.digest, u64::MAX)
        };
        let far = |done| (before + done, Some(total));
        shares.extend(by_all(&large, &read, (self, is_over), (progress, &far))?);
        Ok(together(shares))
    }
}

/// Has all threads take one after the other of what there is to do. This one tells how far they are.
fn by_all<T: Sync>(
    all: &[T],
    each: &(dyn Fn(&mut Reader<'_>, &T) -> Result<()> + Sync),
    (objects, is_over): (&Objects, &AtomicBool),
    (progress, far): (&dyn Progress, Far<'_>),
) -> Result<Vec<Share>> {
    let next = &AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (done, told) = channel();
        let begin = |_| {
            let mut reader = Reader::new(objects, done.clone(), is_over);
            scope.spawn(move || {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(&mut reader, one)?;
                }
                reader.tell().map(|()| reader.share)
            })
        };
        let threads: Vec<_> = (0..parallel::threads()).map(begin).collect();
        drop(done);
        hear(&told, is_over, progress, far);
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Share>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

fn together(shares: Vec<Share>) -> (Seen, Stamps) {
    let mut stamps = Stamps::begin();
    let good = shares.iter().map(|share| share.good.len()).sum();
    let mut seen = Seen { good: HashMap::with_capacity(good), bad: HashSet::new() };
    for share in shares {
        seen.good.extend(share.good);
        seen.bad.extend(share.bad);
        stamps.merge(share.stamps);
    }
    (seen, stamps)
}

impl<'a> Reader<'a> {
    fn new(objects: &'a Objects, done: Sender<u64>, is_over: &'a AtomicBool) -> Self {
        Self {
            objects,
            share: Share {
                good: Vec::new(),
                bad: Vec::new(),
                large: Vec::new(),
                stamps: Stamps::begin(),
            },
            buffer: vec![0; PIECE],
            read: 0,
            done,
            is_over,
        }
    }

    fn read_folder(&mut self, path: &Path) -> Result<()> {
        let failed = |error| Error::io("read", path, error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match rustix::fs::open(path, flags, Mode::empty()) {
            // What is called otherwise is passed over.
            Err(Errno::NOTDIR) => return Ok(()),
            opened => opened.map_err(failed)?,
        };
        for entry in Dir::read_from(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if let Some(digest) = name.to_str().ok().and_then(|name| name.parse().ok()) {
                self.read((&folder, name), &digest, LARGE)?;
            }
        }
        Ok(())
    }

    /// Reads an object, unless it is larger than that.
    fn read(
        &mut self,
        (folder, name): (impl AsFd, impl Arg),
        digest: &Digest,
        most: u64,
    ) -> Result<()> {
        let looked = self.look((folder, name), digest, most);
        if self.is_over.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        looked.map_err(|error| Error::io("read", &self.objects.path(digest), error))?;
        if self.read >= TOLD { self.tell() } else { Ok(()) }
    }

    fn look(
        &mut self,
        (folder, name): (impl AsFd, impl Arg),
        digest: &Digest,
        most: u64,
    ) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = match openat(folder, name, flags, Mode::empty()) {
            // It has gone meanwhile.
            Err(Errno::NOENT) => return Ok(()),
            opened => File::from(opened?),
        };
        // Before it is read: what changes behind this is seen by the times.
        let stat = fstat(&file)?;
        let size = stat.st_size.try_into().unwrap_or(0);
        if size > most {
            self.share.large.push(Large { size, digest: *digest });
            return Ok(());
        }
        let is_over = &|| self.is_over.load(Ordering::Relaxed);
        let is_good = match hash(&mut Until { inner: &mut file, is_over }, &mut self.buffer) {
            // A disk that can't read it has not got it.
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => false,
            hashed => hashed? == *digest,
        };
        self.read += size;
        if is_good {
            self.share.good.push((*digest, size));
            self.share.stamps.add(Stamp::of(&stat), *digest);
        } else {
            self.share.bad.push(*digest);
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        self.done.send(std::mem::take(&mut self.read)).map_err(|_| Error::Cancelled)
    }
}

fn hash(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    loop {
        let length = match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            length => length?,
        };
        hasher.update(&buffer[..length]);
        // Of a file the kernel gives less than was asked for at its end only.
        if length < buffer.len() {
            return Ok(hasher.finalize().into());
        }
    }
}

/// Tells how far those are who read, until the last of them has ended. This thread alone tells it.
fn hear(told: &Receiver<u64>, is_over: &AtomicBool, progress: &dyn Progress, far: Far<'_>) {
    let mut done = 0;
    loop {
        match told.recv_timeout(ASK) {
            Ok(size) => done += size,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        done += told.try_iter().sum::<u64>();
        is_over.store(progress.cancelled(), Ordering::Relaxed);
        let (done, total) = far(done);
        progress.bytes(done, total);
    }
}
