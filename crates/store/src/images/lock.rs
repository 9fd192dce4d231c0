//! Who may change names and trees when, between processes.
//!
//! Lock order: `images/lock`, then a tree's own folder.

use super::{Images, TreeId};
use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;
use volt_host::files::{Lock, LockError, LockMode, Wait};

/// While it lives, no tree vanishes. Held briefly: from looking up an image to having written down that it is used.
///
/// Whoever holds it must not import, tag, delete or sweep: those wait for it.
#[derive(Debug)]
#[must_use = "trees are safe only while this is held"]
pub struct Hold {
    _lock: Lock,
}

impl Images {
    /// Keeps all trees where they are. A container is created under it: look up the image, write the config that
    /// names the tree, let go.
    pub fn hold(&self) -> Result<Hold> {
        self.prepare()?;
        self.lock(LockMode::Shared).map(|lock| Hold { _lock: lock })
    }

    pub(super) fn lock_exclusive(&self) -> Result<Lock> {
        self.prepare()?;
        self.lock(LockMode::Exclusive)
    }

    fn lock(&self, mode: LockMode) -> Result<Lock> {
        let path = self.images_dir().join("lock");
        Lock::take(&path, mode, Wait::Forever).map_err(|error| match error {
            LockError::Io(error) => error.into(),
            LockError::Held { path, .. } => Error::io("lock", &path, Errno::WOULDBLOCK),
        })
    }

    /// Marks a tree as being read for a long time, without hindering anything but its removal.
    pub(super) fn read_tree(&self, tree: &TreeId) -> Result<File> {
        let path = self.tree_path(tree);
        let failed = |error| Error::io("open", &path, error);
        let folder = File::open(&path).map_err(failed)?;
        flock(&folder, FlockOperation::LockShared).map_err(|error| failed(error.into()))?;
        Ok(folder)
    }
}

/// Whether somebody reads the tree or holds the stage in this folder.
pub(super) fn is_read(path: &Path) -> Result<bool> {
    let folder = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        folder => folder.map_err(|error| Error::io("open", path, error))?,
    };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(Error::io("lock", path, error)),
    }
}
