//! Leases: what somebody who is storing something counts on.
//!
//! `cas/tmp/lease-BOOT-PID-CHANCE` is held by a shared flock while its holder lives, and has the digests in it, 32 bytes each. One
//! that ends while garbage is collected becomes `ended-…` and counts until that is over: the collection may have read the
//! refs before its ref was written. One whose holder is gone becomes `dead-…`, which protects nothing, and goes when all that
//! was put under it, and is still there, is on disk: until then it tells whoever comes after a loss of power. One whose objects
//! could not be put on disk becomes `lease-LOST-…`, which is taken for one of an earlier boot: a disk that fails to write loses
//! no less than one without power.
//!
//! What the kernel could not write it tells each descriptor of the file system that was open by then, once; to one that is
//! opened later it may say nothing. So a lease has its own from the beginning. Of what was put by a process that was killed
//! and failed to come to disk before a collection begins, nobody may learn, where somebody else was told.

use crate::digest::Digest;
use crate::error::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use volt_host::files::{self, Lock, LockError, LockMode, Wait};

/// How the files of leases are called.
const PREFIX: &str = "lease-";
/// How those are called that ended during a collection.
const ENDED: &str = "ended-";
/// How those are called whose holders are gone.
const DEAD: &str = "dead-";
/// In place of the id of its boot, where not all that was put under it came to disk.
const LOST: &str = "00000000000000000000000000000000";
/// Held alone while garbage is collected, and with others while a lease ends.
const GATE: &str = "collecting";

/// A lease. Whoever drops it without [`Lease::end`] leaves garbage for the next collection, and nothing worse.
#[derive(Debug)]
pub(crate) struct Lease {
    lock: Lock,
    list: Mutex<File>,
    /// Of the store's file system, opened before there was anything to write.
    disk: OwnedFd,
}

impl Lease {
    /// Takes a lease.
    pub(super) fn take(tmp: &Path) -> Result<Self> {
        let path = tmp.join(format!("{PREFIX}{}-{}", boot()?, name_of_own()));
        let lock = Lock::take(&path, LockMode::Shared, Wait::Forever)?;
        let disk = open_disk(tmp)?;
        // It has to be on disk before the first object can be.
        files::sync_dir(tmp)?;
        let list = File::options()
            .append(true)
            .open(&path)
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(Self { lock, list: Mutex::new(list), disk })
    }

    /// Writes down that these objects are counted on. The lock on their folder must be held.
    pub(super) fn pin(&self, digests: &[Digest]) -> Result<()> {
        let bytes = digests.iter().map(|digest| *digest.as_bytes()).collect::<Vec<_>>().concat();
        let mut list = self.list.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        list.write_all(&bytes).map_err(|error| Error::io("write", self.lock.path(), error))
    }

    /// Puts all that was stored on disk. To be called before the ref is written. Where it fails nobody builds upon what was put under
    /// this lease.
    pub(crate) fn sync(&self) -> Result<()> {
        let path = self.lock.path();
        rustix::fs::syncfs(&self.disk).map_err(|error| {
            call_lost(path);
            Error::io("sync", path, error)
        })
    }

    /// Ends it: all that was put under it is reached by a ref that is on disk, or wanted by nobody.
    pub(crate) fn end(self) -> Result<()> {
        let path = self.lock.path().to_owned();
        let tmp = path.parent().unwrap_or(&path);
        match Lock::take(&tmp.join(GATE), LockMode::Shared, Wait::No) {
            Ok(_gate) => Ok(self.lock.remove()?),
            Err(LockError::Held { .. }) => {
                fs::rename(&path, ended(&path)).map_err(|error| Error::io("rename", &path, error))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens what is asked later on whether all came to disk.
fn open_disk(tmp: &Path) -> Result<OwnedFd> {
    crate::tree::open_root(tmp).map_err(|error| Error::io("open", tmp, error))
}

/// Has a lease tell that what was put under it may be half on disk, until what no ref reaches is gone.
fn call_lost(path: &Path) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let holder = name.strip_prefix(DEAD).unwrap_or(&name).splitn(3, '-').last().unwrap_or_default();
    if let Err(error) = fs::rename(path, path.with_file_name(format!("{PREFIX}{LOST}-{holder}"))) {
        tracing::warn!(path = %path.display(), %error, "what is not on disk may be taken for good");
    }
}

/// What a lease is called that ended during a collection.
fn ended(path: &Path) -> PathBuf {
    prefixed(path, ENDED)
}

fn prefixed(path: &Path, prefix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{prefix}{name}"))
}

/// The lease of whoever only reads: it ends when it is dropped, also on an error, since nothing was stored under it.
#[derive(Debug)]
pub(crate) struct Reading(Option<Lease>);

impl Reading {
    pub(super) fn under(lease: Lease) -> Self {
        Self(Some(lease))
    }
}

impl std::ops::Deref for Reading {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        self.0.as_ref().expect("it is taken only when this is dropped")
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(Lease::end) {
            tracing::warn!(%error, "a lease remains until the next collection");
        }
    }
}

/// The right to collect garbage, which one has at a time. Leases that end while it is held are kept for its holder.
#[derive(Debug)]
pub(super) struct Collection {
    tmp: PathBuf,
    disk: OwnedFd,
    _gate: Lock,
}

impl Collection {
    /// Waits for another collection to end.
    pub(super) fn begin(tmp: &Path) -> Result<Self> {
        files::create_dirs(tmp, 0o700)?;
        let gate = Lock::take(&tmp.join(GATE), LockMode::Exclusive, Wait::Forever)?;
        Self::behind(tmp, gate)
    }

    /// Nothing where another one goes on.
    pub(super) fn begin_at_once(tmp: &Path) -> Result<Option<Self>> {
        match Lock::take(&tmp.join(GATE), LockMode::Exclusive, Wait::No) {
            Err(LockError::Held { .. }) => Ok(None),
            gate => Self::behind(tmp, gate?).map(Some),
        }
    }

    fn behind(tmp: &Path, gate: Lock) -> Result<Self> {
        let disk = open_disk(tmp)?;
        sweep(tmp)?;
        Ok(Self { tmp: tmp.to_owned(), disk, _gate: gate })
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        // What was collected is not written to disk for this any more.
        if let Err(error) =
            forget_ended(&self.tmp).and_then(|()| forget_dead(&self.tmp, &self.disk))
        {
            tracing::warn!(%error, "leases that have ended remain until the next collection");
        }
    }
}

/// What all leases of this boot together count on, read piece by piece as they grow. What one of an earlier boot counted on is
/// as likely half on disk as anything: it protects nothing.
#[derive(Debug)]
pub(super) struct Pinned {
    own: String,
    /// How far, by inode: one that ends meanwhile gets another name.
    read: HashMap<u64, u64>,
    digests: HashSet<Digest>,
}

impl Pinned {
    /// What they count on by now.
    pub(super) fn read(tmp: &Path) -> Result<Self> {
        let own = own_prefix()?;
        let mut pinned = Self { own, read: HashMap::new(), digests: HashSet::new() };
        pinned.refresh(tmp)?;
        Ok(pinned)
    }

    /// Reads what was written since the last time.
    pub(super) fn refresh(&mut self, tmp: &Path) -> Result<()> {
        let mut paths: HashSet<PathBuf> = named(tmp, &[&self.own, ENDED])?.into_iter().collect();
        // A long folder is listed in pieces, so one that ends between two of them may be in neither. It changes its name once: what the
        // first list missed has the name that stays by now.
        paths.extend(named(tmp, &[ENDED])?);
        for path in paths {
            // One that ends at this very moment has its other name by now, which was not there to be listed.
            if !self.read_on(&path)? {
                self.read_on(&ended(&path))?;
            }
        }
        Ok(())
    }

    /// Reads what was written to one of them since the last time; false where it is not there.
    fn read_on(&mut self, path: &Path) -> Result<bool> {
        use std::os::unix::fs::{FileExt, MetadataExt};
        let failed = |error| Error::io("read", path, error);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file.map_err(failed)?,
        };
        let inode = file.metadata().map_err(failed)?.ino();
        let at = self.read.entry(inode).or_default();
        let mut bytes = [0; 32 * 128];
        loop {
            let length = file.read_at(&mut bytes, *at).map_err(failed)?;
            let whole = length / 32 * 32;
            for digest in bytes[..whole].chunks_exact(32) {
                let digest = digest.try_into().expect("chunks are of that size");
                self.digests.insert(Digest::from_bytes(digest));
            }
            *at += whole as u64;
            if whole < bytes.len() {
                return Ok(true);
            }
        }
    }

    /// Whether somebody counts on it.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }
}

/// The leases of earlier boots.
pub(super) fn of_earlier_boots(tmp: &Path) -> Result<Vec<PathBuf>> {
    let now = own_prefix()?;
    let dead = format!("{DEAD}{now}");
    let mut earlier = named(tmp, &[PREFIX, DEAD])?;
    earlier.retain(|path| !is_of(path, &now) && !is_of(path, &dead));
    Ok(earlier)
}

fn forget_ended(tmp: &Path) -> Result<()> {
    named(tmp, &[ENDED])?.iter().try_for_each(|path| Ok(files::remove_file(path).map(drop)?))
}

/// Whether there are dead ones of this boot: of a collection that goes on, or that was killed.
pub(super) fn has_dead(tmp: &Path) -> Result<bool> {
    Ok(!dead(tmp)?.is_empty())
}

fn dead(tmp: &Path) -> Result<Vec<PathBuf>> {
    named(tmp, &[&format!("{DEAD}{}", own_prefix()?)])
}

/// Removes the dead ones of this boot, once all that is there is on disk.
fn forget_dead(tmp: &Path, disk: &OwnedFd) -> Result<()> {
    let dead = dead(tmp)?;
    if dead.is_empty() {
        return Ok(());
    }
    rustix::fs::syncfs(disk).map_err(|error| {
        dead.iter().for_each(|path| call_lost(path));
        Error::io("sync", tmp, error)
    })?;
    dead.iter().try_for_each(|path| Ok(files::remove_file(path).map(drop)?))
}

/// Calls the leases of this boot dead whose holders are gone, and removes those that have ended.
fn sweep(tmp: &Path) -> Result<()> {
    let now = own_prefix()?;
    for path in named(tmp, &[&now])? {
        match Lock::take(&path, LockMode::Exclusive, Wait::No) {
            Ok(_lock) => fs::rename(&path, prefixed(&path, DEAD))
                .map_err(|error| Error::io("rename", &path, error))?,
            Err(LockError::Held { .. }) => {}
            Err(LockError::Io(error)) if error.is_not_found() => {}
            Err(LockError::Io(error)) => return Err(error.into()),
        }
    }
    forget_ended(tmp)
}

/// The leases that nobody holds, and the processes that hold one. Takes no lock for longer than a look.
pub(super) fn left_and_living(tmp: &Path) -> Result<(Vec<PathBuf>, HashSet<String>)> {
    let (mut left, mut living) = (Vec::new(), HashSet::new());
    let now = own_prefix()?;
    for path in named(tmp, &[PREFIX])? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(holder) = name.strip_prefix(&now) else {
            left.push(path);
            continue;
        };
        // Looked at through the file that is there: one that is gone meanwhile is not made anew.
        let Ok(file) = File::open(&path) else { continue };
        let how = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        match rustix::fs::flock(&file, how) {
            Ok(()) => left.push(path),
            Err(_) => drop(living.insert(holder.split('-').next().unwrap_or_default().to_owned())),
        }
    }
    Ok((left, living))
}

fn is_of(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

fn named(tmp: &Path, prefixes: &[&str]) -> Result<Vec<PathBuf>> {
    let mut paths = crate::images::entries(tmp)?;
    paths.retain(|path| prefixes.iter().any(|prefix| is_of(path, prefix)));
    Ok(paths)
}

/// How the leases of this boot are called.
fn own_prefix() -> Result<String> {
    Ok(format!("{PREFIX}{}-", boot()?))
}

/// A name for one file of this process. Another one may have its id, in a namespace of its own or later on.
pub(super) fn name_of_own() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let chance = RandomState::new().build_hasher().finish();
    format!("{}-{chance:016x}", std::process::id())
}

/// The id of this boot, without dashes.
pub(super) fn boot() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let text = fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
    Ok(text.trim().replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The collection has listed the leases, and reads them one after the other.
    #[test]
    fn one_that_ends_while_they_are_read_counts() {
        let dir = tempfile::tempdir().unwrap();
        let collection = Collection::begin(dir.path()).unwrap();
        let mut pinned = Pinned::read(dir.path()).unwrap();
        let (lease, digest) = (Lease::take(dir.path()).unwrap(), Digest::of(b"counted on"));
        lease.pin(&[digest]).unwrap();
        let path = lease.lock.path().to_owned();
        lease.end().unwrap();
        assert!(!pinned.read_on(&path).unwrap() && !pinned.has(&digest));
        assert!(pinned.read_on(&ended(&path)).unwrap() && pinned.has(&digest));
        drop(collection);
        assert!(!ended(&path).exists());
    }

    #[test]
    fn one_by_the_same_name_is_read_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let _collection = Collection::begin(dir.path()).unwrap();
        let (first, second) = (Digest::of(b"first"), Digest::of(b"second"));
        let path = dir.path().join(format!("{}1-1", own_prefix().unwrap()));
        fs::write(&path, first.as_bytes()).unwrap();
        let mut pinned = Pinned::read(dir.path()).unwrap();
        assert!(pinned.has(&first));
        fs::rename(&path, ended(&path)).unwrap();
        fs::write(&path, second.as_bytes()).unwrap();
        pinned.refresh(dir.path()).unwrap();
        assert!(pinned.has(&second));
    }

    /// What was put under it may not be on disk when a collection begins.
    #[test]
    fn one_whose_holder_is_gone_tells_of_a_loss_of_power_until_all_is_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path();
        let (lease, digest) = (Lease::take(tmp).unwrap(), Digest::of(b"counted on"));
        lease.pin(&[digest]).unwrap();
        drop(lease);
        let collection = Collection::begin(tmp).unwrap();
        assert!(!Pinned::read(tmp).unwrap().has(&digest), "it protects nothing");
        assert!(has_dead(tmp).unwrap() && of_earlier_boots(tmp).unwrap().is_empty());
        // The power is cut here, and the next boot has another id.
        let one = &dead(tmp).unwrap()[0];
        let name = one.file_name().unwrap().to_str().unwrap();
        let name = name.replace(&boot().unwrap(), "00000000000000000000000000000000");
        let earlier = tmp.join(name);
        fs::copy(one, &earlier).unwrap();
        assert_eq!(of_earlier_boots(tmp).unwrap(), [earlier]);
        drop(collection);
        assert!(!has_dead(tmp).unwrap());
    }
}
