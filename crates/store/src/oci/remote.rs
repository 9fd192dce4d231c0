//! Blobs that somebody else has: fetched when they are needed, several at once, each once, and kept in a folder until their image
//! is stored. What a pull that broke off has fetched is there for the next.

use super::documents::{DOCUMENT_LIMIT, Descriptor, Sha256};
use crate::error::{Error, Result};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use volt_host::files::{self, Lock, LockError, LockMode, Wait};
use volt_model::size::Bytes;

/// How often who waits for a download looks whether it is there.
const LOOK: Duration = Duration::from_millis(50);

/// Who has the documents and the layers of an image.
pub trait Origin: Sync {
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

/// The blobs of an image of somebody else.
pub(crate) struct Remote<'a> {
    origin: &'a dyn Origin,
    dir: PathBuf,
    done: AtomicU64,
    is_over: AtomicBool,
    fetched: Mutex<Vec<PathBuf>>,
}

impl<'a> Remote<'a> {
    /// Those that `origin` has, fetched to `dir`, which anybody may empty.
    pub(crate) fn new(origin: &'a dyn Origin, dir: &Path) -> Result<Self> {
        files::create_dirs(dir, 0o700)?;
        let (done, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { origin, dir: dir.to_owned(), done, is_over, fetched: Mutex::default() })
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
    pub(crate) fn open(&self, digest: &Sha256, size: u64) -> Result<File> {
        let path = self.dir.join(digest.hex());
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        if let Some(file) = whole(&path, size)? {
            return Ok(file);
        }
        let lock = Lock::take(&path.with_extension("lock"), LockMode::Exclusive, Wait::Forever)?;
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
        lock.remove()?;
        whole(&path, size)?.ok_or_else(|| super::wrong(digest.hex()))
    }

    /// Waits until somebody else has fetched a blob, or nobody wants it any more.
    pub(crate) fn wait(
        &self,
        digest: &Sha256,
        size: u64,
        is_unwanted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let path = self.dir.join(digest.hex());
        while whole(&path, size)?.is_none() {
            if self.is_over.load(Ordering::Relaxed) || is_unwanted() {
                // Why, is told by the one who fetched it.
                return Err(Error::Cancelled);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// How much was fetched so far, in bytes.
    pub(crate) fn fetched(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Ends what is being fetched: nobody wants it any more.
    pub(crate) fn give_up(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Removes the blobs, whose contents are stored.
    pub(crate) fn forget(&self) {
        for path in self.fetched.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Another pull that needs it has it open, or fetches it again.
            drop(fs::remove_file(path));
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
        let lock = path.with_extension("lock");
        let held = match lock.exists() {
            true => match Lock::take(&lock, LockMode::Exclusive, Wait::No) {
                Ok(held) => Some(held),
                Err(LockError::Held { .. }) => continue,
                Err(error) => return Err(error.into()),
            },
            false => None,
        };
        bytes += fs::symlink_metadata(&path).map_or(0, |data| data.len());
        if dry_run {
            continue;
        }
        match held {
            Some(held) if is_lock => held.remove()?,
            _ => drop(files::remove_file(&path)?),
        }
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
