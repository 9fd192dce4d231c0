//! Reading every object there is, by as many threads as there are processors.

use super::Objects;
use super::index::{Index, Stamp};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::parallel::{self, ASK, Until};
use crate::progress::Progress;
use rustix::fs::{AtFlags, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// What is read at once, in bytes: most objects whole.
const PIECE: usize = 128 << 10;
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

/// One that is to be read.
struct Object {
    size: u64,
    digest: Digest,
}

/// What has to be read, the largest first, and the folders that it is in, by the first byte of a digest.
struct Todo {
    folders: Vec<Option<OwnedFd>>,
    objects: Vec<Object>,
    next: AtomicUsize,
    is_over: AtomicBool,
}

/// What one thread has found.
struct Share {
    seen: Seen,
    index: Index,
}

impl Objects {
    /// Reads every object; what was found, and by what each that is good is known from now on.
    pub(super) fn read_all(&self, progress: &dyn Progress) -> Result<(Seen, Index)> {
        progress.step("Reading the objects");
        let todo = &self.todo()?;
        let total = todo.objects.iter().map(|object| object.size).sum();
        let shares = std::thread::scope(|scope| {
            let (done, told) = channel();
            let begin = |_| {
                let done = done.clone();
                scope.spawn(move || self.read_share(todo, &done))
            };
            let threads: Vec<_> = (0..parallel::threads()).map(begin).collect();
            drop(done);
            hear(&told, total, &todo.is_over, progress);
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Share>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        let (mut seen, mut index) = (Seen::default(), Index::default());
        for share in shares {
            seen.good.extend(share.seen.good);
            seen.bad.extend(share.seen.bad);
            index.merge(share.index);
        }
        Ok((seen, index))
    }

    fn todo(&self) -> Result<Todo> {
        let mut folders: Vec<_> = (0..=u8::MAX).map(|_| None).collect();
        let mut objects = Vec::new();
        self.each_folder(&mut |digests| {
            let Some(first) = digests.first() else { return Ok(()) };
            let folder = self.open_folder(first)?;
            for digest in &digests {
                match statat(&folder, digest.hex(), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => {
                        let size = stat.st_size.try_into().unwrap_or(0);
                        objects.push(Object { size, digest: *digest });
                    }
                    Err(Errno::NOENT) => {}
                    Err(error) => {
                        return Err(Error::io("look at", &self.path(digest), error));
                    }
                }
            }
            folders[usize::from(first.as_bytes()[0])] = Some(folder);
            Ok(())
        })?;
        objects.sort_unstable_by_key(|object| std::cmp::Reverse(object.size));
        Ok(Todo { folders, objects, next: AtomicUsize::new(0), is_over: AtomicBool::new(false) })
    }

    fn read_share(&self, todo: &Todo, done: &Sender<u64>) -> Result<Share> {
        let mut share = Share { seen: Seen::default(), index: Index::begin() };
        let (mut buffer, mut read) = (vec![0; PIECE], 0);
        while let Some(Object { size, digest }) =
            todo.objects.get(todo.next.fetch_add(1, Ordering::Relaxed))
        {
            if todo.is_over.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let folder = todo.folders[usize::from(digest.as_bytes()[0])].as_ref();
            let is_over = &|| todo.is_over.load(Ordering::Relaxed);
            let look = |folder| look(folder, digest, (&mut buffer[..], is_over));
            let looked = folder.map_or(Ok(None), look);
            if looked.is_err() && is_over() {
                return Err(Error::Cancelled);
            }
            match looked.map_err(|error| Error::io("read", &self.path(digest), error))? {
                None => {}
                Some((_, false)) => drop(share.seen.bad.insert(*digest)),
                Some((stat, true)) => {
                    share.seen.good.insert(*digest, *size);
                    share.index.add(Stamp::of(&stat), *digest);
                }
            }
            read += size;
            if read >= TOLD {
                tell(done, &mut read)?;
            }
        }
        tell(done, &mut read)?;
        Ok(share)
    }

    fn open_folder(&self, digest: &Digest) -> Result<OwnedFd> {
        let path = self.path(digest);
        let path = path.parent().unwrap_or(&path);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| Error::io("open", path, error))
    }
}

fn tell(done: &Sender<u64>, read: &mut u64) -> Result<()> {
    done.send(std::mem::take(read)).map_err(|_| Error::Cancelled)
}

/// What an object's file was before it was read, and whether its contents are what the name says; nothing where it is gone.
fn look(
    folder: &OwnedFd,
    digest: &Digest,
    (buffer, is_over): (&mut [u8], &dyn Fn() -> bool),
) -> io::Result<Option<(Stat, bool)>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = match openat(folder, digest.hex(), flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => File::from(opened?),
    };
    let stat = fstat(&file)?;
    match hash(&mut Until { inner: &mut file, is_over }, buffer) {
        // A disk that can't read it has not got it.
        Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            Ok(Some((stat, false)))
        }
        hashed => Ok(Some((stat, hashed? == *digest))),
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
fn hear(told: &Receiver<u64>, total: u64, is_over: &AtomicBool, progress: &dyn Progress) {
    let mut done = 0;
    loop {
        match told.recv_timeout(ASK) {
            Ok(size) => done += size,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        done += told.try_iter().sum::<u64>();
        is_over.store(progress.cancelled(), Ordering::Relaxed);
        progress.bytes(done, Some(total));
    }
}
