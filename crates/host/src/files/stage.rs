//! Stages: folders in which something is built before it appears in its place, whole.
//!
//! A stage is held by an flock on the folder itself, so the stage of a process that was killed is known by nobody
//! holding it, and `sweep` removes it. Publishing is one rename within the file system.

use super::lock::lock_file;
use super::{Context, Error, LockMode, Result, create_dirs, remove_tree, sync_dir};
use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Held shared while a stage is made and not yet locked, exclusively while stages are swept.
const GATE: &str = ".gate";

/// What publishing does where something is already in the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Fails with `AlreadyExists`.
    New,
    /// Takes its place; what was there is removed with the stage.
    Replace,
}

/// A folder under way. Dropping it removes it.
#[derive(Debug)]
pub struct Stage {
    /// Holds the lock.
    folder: File,
    path: PathBuf,
    published: bool,
}

impl Stage {
    /// Makes a stage (mode 0700) in this folder, which is made when it is missing. The label is for people.
    pub fn new(dir: &Path, label: &str) -> Result<Self> {
        create_dirs(dir, 0o700)?;
        let gate = gate(dir)?;
        lock_file(&gate, LockMode::Shared, true).on("lock", dir)?;
        let prefix = format!("{}-", label.replace(['/', '\0'], "_"));
        let path = tempfile::Builder::new()
            .prefix(prefix.trim_start_matches('.'))
            .tempdir_in(dir)
            .on("create a stage in", dir)?
            .keep();
        let folder = File::open(&path).on("open", &path)?;
        lock_file(&folder, LockMode::Exclusive, true).on("lock", &path)?;
        Ok(Self { folder, path, published: false })
    }

    /// Where to build.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes all durable that was written since the stage was made, also what is in its place already.
    pub fn sync(&self) -> Result<()> {
        syncfs(&self.folder).on("sync", &self.path)
    }

    /// Makes what was built durable and moves it to its place, in one step.
    pub fn publish(mut self, to: &Path, how: Publish) -> Result<()> {
        self.sync()?;
        self.move_to(to, how).on("publish", to)?;
        sync_dir(super::atomic::parent(to))
    }

    fn move_to(&mut self, to: &Path, how: Publish) -> rustix::io::Result<()> {
        use rustix::io::Errno;
        let rename = |flags| renameat_with(CWD, &self.path, CWD, to, flags);
        match rename(RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) if how == Publish::Replace => {
                // What was in the place is in the stage's now, and goes with it.
                rename(RenameFlags::EXCHANGE)
            }
            Ok(()) => {
                self.published = true;
                Ok(())
            }
            error => error,
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = remove_tree(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a stage remains; the next sweep removes it");
        }
    }
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct SweptStages {
    /// Stages that nobody held and that are gone now.
    pub removed: Vec<PathBuf>,
    /// Stages that are in use.
    pub held: Vec<PathBuf>,
    /// Garbage that could not be removed.
    pub failed: Vec<Error>,
}

/// Removes the stages in this folder that nobody holds, and any other thing there.
pub fn sweep(dir: &Path) -> Result<SweptStages> {
    let mut swept = SweptStages::default();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(swept),
        entries => entries.on("read", dir)?,
    };
    let gate = gate(dir)?;
    lock_file(&gate, LockMode::Exclusive, true).on("lock", dir)?;
    for entry in entries {
        let entry = entry.on("read", dir)?;
        if entry.file_name() == GATE {
            continue;
        }
        let path = entry.path();
        match remove_unheld(&path) {
            Ok(true) => swept.removed.push(path),
            Ok(false) => swept.held.push(path),
            // Published or removed by its owner since the folder was read.
            Err(error) if error.is_not_found() => {}
            Err(error) => swept.failed.push(error),
        }
    }
    Ok(swept)
}

/// False where somebody holds it.
fn remove_unheld(path: &Path) -> Result<bool> {
    if fs::symlink_metadata(path).on("read", path)?.is_dir() {
        let folder = File::open(path).on("open", path)?;
        if !lock_file(&folder, LockMode::Exclusive, false).on("lock", path)? {
            return Ok(false);
        }
        // The lock stays with the folder until it is gone.
        remove_tree(path)?;
        return Ok(true);
    }
    fs::remove_file(path).on("remove", path)?;
    Ok(true)
}

fn gate(dir: &Path) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = dir.join(GATE);
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .on("open", &path)
}
