//! Blobs that somebody else has: fetched when they are needed, several at once, each once, unpacked as they come, and kept in a
//! folder until their image is stored. What a pull that broke off has fetched is there for the next.

use super::BlobDigest;
use super::documents::{DOCUMENT_LIMIT, Descriptor};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use volt_host::files::{self, Lock, LockError, LockMode, Wait};
use volt_model::registry;
use volt_model::size::Bytes;

/// How often who waits for a download looks whether it is there: another process may be the one who fetches it.
const LOOK: Duration = Duration::from_millis(50);

/// Who has the documents and the layers of an image.
pub trait Origin: Sync {
    /// The repository that has it, by which it can be found again.
    fn place(&self) -> registry::Remote;

    /// The document of this digest, or without one that of the image itself; 4 MiB at most.
    ///
    /// # Errors
    /// [`Error::Elsewhere`].
    fn document(&self, digest: Option<&str>) -> Result<Vec<u8>>;

    /// Writes to the end of `to` what it lacks of a blob of `size` bytes. `told` is called with the bytes of each piece, and says
    /// whether to go on.
    ///
    /// # Errors
    /// [`Error::Elsewhere`], also when it is not what its digest says; [`Error::Cancelled`]; [`Error::Output`] for `to`.
    fn fetch(
        &self,
        digest: &str,
        size: u64,
        to: &mut File,
        told: &dyn Fn(u64) -> bool,
    ) -> Result<()>;
}

/// That more of something has come, or all of it, or that nothing will.
#[derive(Default)]
struct News {
    count: Mutex<u64>,
    more: Condvar,
}

impl News {
    fn tell(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }

    /// How much of it there was so far.
    fn seen(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is more, or it is time to look.
    fn wait(&self, seen: u64) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.more.wait_timeout_while(count, LOOK, |count| *count == seen));
    }
}

/// The blobs of an image of somebody else.
pub(crate) struct Remote<'a> {
    origin: &'a dyn Origin,
    dir: PathBuf,
    done: AtomicU64,
    is_over: Arc<AtomicBool>,
    news: Arc<News>,
    fetched: Mutex<Vec<PathBuf>>,
    /// Those that were checked as they came.
    sound: Mutex<HashSet<BlobDigest>>,
    /// Whether blobs are read before they are whole.
    follows: AtomicBool,
}

impl<'a> Remote<'a> {
    /// Those that `origin` has, fetched to `dir`, which anybody may empty.
    pub(crate) fn new(origin: &'a dyn Origin, dir: &Path) -> Result<Self> {
        files::create_dirs(dir, 0o700)?;
        Ok(Self {
            origin,
            dir: dir.to_owned(),
            done: AtomicU64::new(0),
            is_over: Arc::default(),
            news: Arc::default(),
            fetched: Mutex::default(),
            sound: Mutex::default(),
            follows: AtomicBool::new(true),
        })
    }

    /// Where a document of it can be had again.
    pub(crate) fn place(&self, digest: &BlobDigest) -> registry::Remote {
        self.origin.place().at(digest.as_str())
    }

    /// The document of the image itself.
    pub(crate) fn first(&self) -> Result<Vec<u8>> {
        self.origin.document(None)
    }

    /// The document that a descriptor points to, not yet checked.
    pub(crate) fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        if descriptor.size > DOCUMENT_LIMIT {
            return Err(Error::Damaged("a document of it is larger than 4 MiB".into()));
        }
        // To a registry, how an image is run is a blob like any other.
        if descriptor.is_document() {
            return self.origin.document(Some(&descriptor.digest.to_string()));
        }
        let mut bytes = Vec::new();
        let mut file = self.open(&descriptor.digest, descriptor.size)?;
        file.read_to_end(&mut bytes).map_err(Error::Input)?;
        Ok(bytes)
    }

    /// A blob, fetched where it is not here yet.
    pub(crate) fn open(&self, digest: &BlobDigest, size: u64) -> Result<File> {
        let path = self.dir.join(digest.hex());
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        if let Some(file) = whole(&path, size)? {
            return Ok(file);
        }
        let lock = self.lock(&path.with_extension("lock"))?;
        if let Some(file) = whole(&path, size)? {
            return Ok(file);
        }
        // One of another length was cut off with the power, or somebody lies about its size.
        files::remove_file(&path)?;
        let part = path.with_extension("part");
        let failed = |error| Error::io("write", &part, error);
        let mut file =
            File::options().read(true).append(true).create(true).open(&part).map_err(failed)?;
        let told = |bytes| {
            self.done.fetch_add(bytes, Ordering::Relaxed);
            self.news.tell();
            !self.is_over.load(Ordering::Relaxed)
        };
        if let Err(error) = self.origin.fetch(&digest.to_string(), size, &mut file, &told) {
            self.give_up();
            let Error::Output(error) = error else { return Err(error) };
            let full = failed(error);
            if matches!(full, Error::Full { .. }) {
                // Nobody else has room either, until this goes.
                files::remove_file(&part)?;
            }
            return Err(full);
        }
        fs::rename(&part, &path).map_err(|error| Error::io("rename", &part, error))?;
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
        lock.remove()?;
        self.news.tell();
        whole(&path, size)?.ok_or_else(|| super::wrong(digest.hex()))
    }

    /// Waits for whoever else is fetching a blob, as long as it is wanted: he may come to nothing and hold it all the same.
    fn lock(&self, path: &Path) -> Result<Lock> {
        loop {
            match Lock::take(path, LockMode::Exclusive, Wait::For(LOOK)) {
                Err(LockError::Held { .. }) => self.refuse_over(&|| false)?,
                taken => return Ok(taken?),
            }
        }
    }

    /// Whether a blob was fetched by this one, and so is what its digest says.
    pub(crate) fn is_sound(&self, digest: &BlobDigest) -> bool {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    /// Reads a blob while somebody else fetches it; nothing where it is whole already, or has to be. What is read so may turn out
    /// not to be what came in the end: who finds something wrong with it waits until it is whole, and begins anew.
    pub(crate) fn follow(
        &self,
        digest: &BlobDigest,
        size: u64,
        is_unwanted: impl Fn() -> bool + Send + 'static,
    ) -> Result<Option<Following>> {
        let path = self.dir.join(digest.hex());
        loop {
            let seen = self.news.seen();
            if !self.follows.load(Ordering::Relaxed) || whole(&path, size)?.is_some() {
                return Ok(None);
            }
            self.refuse_over(&is_unwanted)?;
            if let Ok(file) = File::open(path.with_extension("part")) {
                let is_given_up = Arc::clone(&self.is_over);
                let is_over =
                    Box::new(move || is_given_up.load(Ordering::Relaxed) || is_unwanted());
                let news = Arc::clone(&self.news);
                return Ok(Some(Following { file, at: 0, size, is_over, news }));
            }
            self.news.wait(seen);
        }
    }

    /// From now on blobs are read when they are whole. Whether that makes a difference.
    pub(crate) fn follow_no_more(&self) -> bool {
        self.follows.swap(false, Ordering::Relaxed) && !self.is_over.load(Ordering::Relaxed)
    }

    fn refuse_over(&self, is_unwanted: &dyn Fn() -> bool) -> Result<()> {
        if self.is_over.load(Ordering::Relaxed) || is_unwanted() {
            // Why, is told by the one who fetched it.
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// Waits until somebody else has fetched a blob, or nobody wants it any more.
    pub(crate) fn wait(
        &self,
        digest: &BlobDigest,
        size: u64,
        is_unwanted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let path = self.dir.join(digest.hex());
        loop {
            let seen = self.news.seen();
            if whole(&path, size)?.is_some() {
                return Ok(());
            }
            self.refuse_over(is_unwanted)?;
            self.news.wait(seen);
        }
    }

    /// How much was fetched so far, in bytes.
    pub(crate) fn fetched(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends what is being fetched: nobody wants it any more.
    pub(crate) fn give_up(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.news.tell();
    }

    /// Removes the blobs, whose contents are stored.
    pub(crate) fn forget(&self) {
        for path in self.fetched.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Another pull that needs it has it open, or fetches it again.
            drop(fs::remove_file(path));
        }
    }
}

/// A blob as it comes.
pub(crate) struct Following {
    file: File,
    at: u64,
    size: u64,
    is_over: Box<dyn Fn() -> bool + Send>,
    news: Arc<News>,
}

impl Read for Following {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let seen = self.news.seen();
            let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
            let most = left.min(buffer.len());
            let length = self.file.read(&mut buffer[..most])?;
            self.at += length as u64;
            if length > 0 || most == 0 {
                return Ok(length);
            }
            // Whoever fetched it may have begun anew with another file.
            if (self.is_over)() || self.file.metadata()?.nlink() == 0 {
                return Err(io::Error::other("it is no longer fetched"));
            }
            self.news.wait(seen);
        }
    }
}

/// Refuses an image that is larger as it is sent than it may be unpacked.
pub(crate) fn refuse_too_large(sizes: impl Iterator<Item = u64>, most: u64) -> Result<()> {
    let all = sizes.fold(0, u64::saturating_add);
    if all <= most {
        return Ok(());
    }
    let (all, most) = (Bytes(all), Bytes(most));
    Err(Error::Damaged(format!("its layers have {all}, and an image may have {most}")))
}

/// Removes what was fetched to a folder and is not being fetched at this moment. Returns how many bytes that are; with `dry_run` it
/// only says so.
///
/// # Errors
/// When something can't be removed.
pub fn forget_downloads(dir: &Path, dry_run: bool) -> Result<u64> {
    let mut bytes = 0;
    for path in crate::images::entries(dir)? {
        let is_lock = path.extension().is_some_and(|kind| kind == "lock");
        // Made where there is none: who fetches something takes it first.
        let held = match Lock::take(&path.with_extension("lock"), LockMode::Exclusive, Wait::No) {
            Err(LockError::Held { .. }) => continue,
            held => held?,
        };
        if !is_lock {
            bytes += fs::symlink_metadata(&path).map_or(0, |data| data.len());
            if !dry_run {
                files::remove_file(&path)?;
            }
        }
        held.remove()?;
    }
    Ok(bytes)
}

/// A file that is as long as it should be; nothing where it is not there, or of another length.
fn whole(path: &Path, size: u64) -> Result<Option<File>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| Error::io("read", path, error))?,
    };
    let length = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    Ok((length == size).then_some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_fetched_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["a", "a.lock", "b.part", "b.lock", "c", "c.part"] {
            fs::write(path(name), name).unwrap();
        }
        let held = Lock::take(&path("b.lock"), LockMode::Exclusive, Wait::No).unwrap();
        let bytes = forget_downloads(dir.path(), true).unwrap();
        assert!(bytes > 0 && path("a").exists());
        forget_downloads(dir.path(), false).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b.lock", "b.part"]);
        drop(held);
        forget_downloads(dir.path(), false).unwrap();
        assert!(!path("b.part").exists());
        assert_eq!(forget_downloads(&path("none"), false).unwrap(), 0);
    }

    #[test]
    fn an_image_that_says_it_is_too_large_is_refused() {
        assert!(refuse_too_large([1, 2].into_iter(), 3).is_ok());
        for sizes in [[2, 2], [u64::MAX, u64::MAX]] {
            let error = refuse_too_large(sizes.into_iter(), 3).unwrap_err().to_string();
            assert!(error.contains("an image may have 3"), "{error}");
        }
    }
}
