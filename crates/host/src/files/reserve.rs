//! Space that is kept back: a file that is given up when the disk is full, so that what frees space, or ends something, can still
//! be written down.

use super::{Result, free_space};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much is kept back, in bytes: enough for some dozens of records.
const SIZE: u64 = 1 << 20;
/// It is laid aside only where so many times its size is free: what was given up is not taken again before it could be used.
const TIMES: u64 = 16;
/// How a reserve is called in its folder.
const NAME: &str = "reserve";

/// The reserve of a folder.
#[derive(Debug, Clone)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The reserve in this folder, whether it is there or not.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// Lays it aside where it is not yet. A folder without space, or none at all, has no reserve.
    pub fn keep(&self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|data| data.blocks() * 512 >= SIZE) {
            return;
        }
        let folder = self.path.parent().unwrap_or(&self.path);
        if free_space(folder).is_ok_and(|space| space.available >= SIZE * TIMES)
            && let Err(error) = self.fill()
        {
            tracing::debug!(path = %self.path.display(), %error, "no space is kept back");
            drop(fs::remove_file(&self.path));
        }
    }

    /// Writes; where the disk is full, gives the reserve up and writes once more.
    ///
    /// # Errors
    /// Those of the last attempt.
    pub fn or_give_up<T>(&self, write: impl Fn() -> Result<T>) -> Result<T> {
        match write() {
            Err(error) if error.is_full() && self.give_up() => write(),
            other => other,
        }
    }

    /// Frees the space. False where none was kept.
    pub fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        let flags = rustix::fs::FallocateFlags::empty();
        Ok(rustix::fs::fallocate(&file, flags, 0, SIZE)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Error;
    use std::cell::Cell;
    use std::io;

    #[test]
    fn a_full_disk_is_written_to_once_more_while_there_is_a_reserve() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::in_folder(dir.path());
        let tries = Cell::new(0);
        let full = || {
            tries.set(tries.get() + 1);
            Err::<(), _>(Error::new("write", "/x", io::ErrorKind::StorageFull))
        };
        assert!(reserve.or_give_up(full).is_err());
        assert_eq!(tries.take(), 1);
        reserve.keep();
        assert!(dir.path().join(NAME).metadata().unwrap().blocks() * 512 >= SIZE);
        assert!(reserve.or_give_up(full).is_err());
        assert_eq!(tries.take(), 2);
        assert!(!dir.path().join(NAME).exists());
        Reserve::in_folder(&dir.path().join("missing")).keep();
    }
}
