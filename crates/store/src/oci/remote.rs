//! Blobs that somebody else has: fetched when they are needed, several at once, each once, and kept in a folder until their image
//! is stored. What a pull that broke off has fetched is there for the next.

use super::documents::{DOCUMENT_LIMIT, Descriptor, Sha256};
use crate::error::{Error, Result};
use crate::progress::Progress;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use volt_host::files::{self, Lock, LockMode, Wait};

/// How often people are told how far a download is.
const TELL: Duration = Duration::from_millis(50);

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
    /// [`Error::Elsewhere`], also when it is not what its digest says; [`Error::Cancelled`].
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
        let part = path.with_extension("part");
        let failed = |error| Error::io("write", &part, error);
        let mut file =
            File::options().read(true).append(true).create(true).open(&part).map_err(failed)?;
        let told = |bytes| {
            self.done.fetch_add(bytes, Ordering::Relaxed);
            !self.is_over.load(Ordering::Relaxed)
        };
        if let Err(error) = self.origin.fetch(&digest.to_string(), size, &mut file, &told) {
            self.is_over.store(true, Ordering::Relaxed);
            return Err(error);
        }
        fs::rename(&part, &path).map_err(|error| Error::io("rename", &part, error))?;
        lock.remove()?;
        whole(&path, size)?.ok_or_else(|| super::wrong(digest.hex()))
    }

    /// Waits until somebody else has fetched a blob, and tells how far that is.
    pub(crate) fn wait(&self, digest: &Sha256, size: u64, progress: &dyn Progress) -> Result<()> {
        let path = self.dir.join(digest.hex());
        while whole(&path, size)?.is_none() {
            if progress.cancelled() {
                self.is_over.store(true, Ordering::Relaxed);
            }
            if self.is_over.load(Ordering::Relaxed) {
                // Why, is told by the one who fetched it.
                return Err(Error::Cancelled);
            }
            progress.bytes(self.done.load(Ordering::Relaxed), None);
            std::thread::sleep(TELL);
        }
        Ok(())
    }

    /// Removes the blobs, whose contents are stored.
    pub(crate) fn forget(&self) {
        for path in self.fetched.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // Another pull that needs it has it open, or fetches it again.
            drop(fs::remove_file(path));
        }
    }
}

/// A file that is as long as it should be; nothing where it is not there.
fn whole(path: &Path, size: u64) -> Result<Option<File>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| Error::io("read", path, error))?,
    };
    let length = file.metadata().map_err(|error| Error::io("read", path, error))?.len();
    if length == size {
        return Ok(Some(file));
    }
    // Another image lies about its size, or this one does.
    Err(super::wrong(&path.display().to_string()))
}
