//! Files and folders: durable writes, bounded reads, locks, stages, and paths resolved beneath a root.
//!
//! Owns the error that carries a path. Nothing here follows a symbolic link out of where it was told to work.

mod atomic;
mod attributes;
mod draft;
mod early;
mod lock;
mod reserve;
mod rooted;
mod stage;
#[cfg(test)]
mod tests;
mod tree;
mod verity;

use std::io;
use std::path::{Path, PathBuf};

pub use atomic::{
    create_dirs, read_bounded, read_json, read_text, remove_file, sync_dir, write_atomic,
    write_json,
};
pub use attributes::{memory_file, owner, set_mode, set_owner, share_with_group, write_volatile};
pub use draft::{DRAFT_PREFIX, left_drafts, sweep_drafts};
pub use early::begin_writing;
pub use lock::{Lock, LockError, LockMode, Locks, Wait};
pub use reserve::Reserve;
pub use rooted::{Attributes, Entry, FileKind, Metadata, RootDir};
pub use stage::{Publish, Stage, SweptStages, sweep};
pub use tree::{DiskUsage, FreeSpace, dir_size, free_space, remove_tree};
pub use verity::enable_verity;

/// A failed action on a path. The source says why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct Error {
    /// What was tried, as a verb: `read`, `write`, `lock`.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}

impl Error {
    /// An error of this action on this path.
    pub fn new(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self { action, path: path.into(), source: source.into() }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Whether the path does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk or a quota is full.
    pub fn is_full(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// A result whose error carries a path.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds action and path to what the kernel said.
pub(crate) trait Context<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn on(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::new(action, path, source))
    }
}
