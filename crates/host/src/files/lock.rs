//! Locks between processes: flock on files of mode 0600 under one folder.
//!
//! The kernel lets go of such a lock when its holder ends, however it ends. The file holds the pid of the last
//! exclusive holder, for messages only. Lock files may be removed by anyone who holds them exclusively.

use super::{Context, Error, read_bounded};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Together with other readers.
    Shared,
    /// Alone.
    Exclusive,
}

/// How long to wait for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most so long.
    For(Duration),
    /// As long as it takes.
    Forever,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("{} is held{}", path.display(), holder.map(|p| format!(" by process {p}")).unwrap_or_default())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The last process that wrote itself in as exclusive holder.
        holder: Option<u32>,
    },
    /// The lock file could not be opened or locked.
    #[error(transparent)]
    Io(#[from] Error),
}

/// A folder of locks.
#[derive(Debug, Clone)]
pub struct Locks {
    dir: PathBuf,
}

impl Locks {
    /// The locks in this folder, which is made (0700) when the first is taken.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Takes the lock of this name. A name is one path component.
    pub fn lock(&self, name: &str, mode: LockMode, wait: Wait) -> Result<Lock, LockError> {
        let path = self.dir.join(name);
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            let source = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(Error::new("lock", path, source).into());
        }
        match Lock::take(&path, mode, wait) {
            Err(LockError::Io(error)) if error.is_not_found() => {
                // Only the locks are nobody's business: the folders above hold what others may look at.
                super::create_dirs(super::atomic::parent(&self.dir), 0o755)?;
                super::create_dirs(&self.dir, 0o700)?;
                Lock::take(&path, mode, wait)
            }
            other => other,
        }
    }

    /// Takes several locks exclusively, in the order of their names so that two callers cannot wait for each other.
    pub fn lock_all(&self, names: &[&str], wait: Wait) -> Result<Vec<Lock>, LockError> {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| self.lock(name, LockMode::Exclusive, wait)).collect()
    }
}

/// A lock that is held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// How often a lock is asked for at most while that has not taken long, and after that.
const OFTEN: Duration = Duration::from_millis(2);
const RARELY: Duration = Duration::from_millis(20);
/// What is not long.
const SHORT: Duration = Duration::from_secs(1);

impl Lock {
    /// Takes the lock on this file, which is made when it is missing.
    pub fn take(path: &Path, mode: LockMode, wait: Wait) -> Result<Self, LockError> {
        let begun = Instant::now();
        let deadline = match wait {
            Wait::For(time) => Some(begun + time),
            Wait::No | Wait::Forever => None,
        };
        let mut pause = Duration::from_micros(500);
        loop {
            let file = open(path)?;
            let blocking = wait == Wait::Forever;
            match lock_file(&file, mode, blocking).on("lock", path)? {
                true if is_at(&file, path) => return Ok(Self::held(file, path, mode)),
                // The holder removed the file while we waited for it; the lock is the new one now.
                true => {}
                false if deadline.is_some_and(|end| Instant::now() < end) => {
                    // flock knows no time limit, so ask again, more rarely where it takes long. Most are held for a moment, and while all who
                    // want one sleep nobody gets on.
                    std::thread::sleep(pause);
                    let most = if begun.elapsed() < SHORT { OFTEN } else { RARELY };
                    pause = (pause * 2).min(most);
                }
                false => {
                    return Err(LockError::Held { path: path.to_owned(), holder: holder(path) });
                }
            }
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the lock file and lets go; those who wait for it take a new one.
    pub fn remove(self) -> Result<(), Error> {
        std::fs::remove_file(&self.path).on("remove", &self.path)
    }

    fn held(mut file: File, path: &Path, mode: LockMode) -> Self {
        if mode == LockMode::Exclusive {
            let noted = file
                .set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{}", std::process::id()));
            // On a full disk there is a lock all the same, and nobody can say who holds it.
            if let Err(error) = noted {
                tracing::debug!(path = %path.display(), %error, "the holder is not noted");
            }
        }
        Self { file, path: path.to_owned() }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Said aloud rather than left to close: a child forked meanwhile may have a copy of the descriptor.
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::debug!(path = %self.path.display(), %error, "could not unlock");
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .on("lock", path)
}

/// Whether the lock was taken.
pub(super) fn lock_file(file: &File, mode: LockMode, blocking: bool) -> io::Result<bool> {
    let operation = match (mode, blocking) {
        (LockMode::Shared, true) => FlockOperation::LockShared,
        (LockMode::Shared, false) => FlockOperation::NonBlockingLockShared,
        (LockMode::Exclusive, true) => FlockOperation::LockExclusive,
        (LockMode::Exclusive, false) => FlockOperation::NonBlockingLockExclusive,
    };
    loop {
        match flock(file, operation) {
            Ok(()) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn holder(path: &Path) -> Option<u32> {
    String::from_utf8(read_bounded(path, 32).ok()?).ok()?.trim().parse().ok()
}
