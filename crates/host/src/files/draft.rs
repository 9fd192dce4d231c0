//! Drafts: files that are written beside their place before they take it.
//!
//! A draft is held by an flock from its first moment on, so that of a process that was killed is known by nobody holding
//! it, and `sweep_drafts` removes it.

use super::lock::lock_file;
use super::{Context, Error, LockMode, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How the name of a draft begins.
pub const DRAFT_PREFIX: &str = ".volt-";
/// How often a draft is begun again that was swept away in the moment before it was held. Somebody who sweeps without a pause
/// meets that moment now and then, on a machine with more to do than time even a few times in a row.
const TRIES: usize = 100;

/// Writes `bytes` to `path` by way of a draft; `finish` is called before it takes its place.
pub(super) fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    finish: impl Fn(&File) -> io::Result<()>,
) -> Result<()> {
    let mut draft = begin(path)?;
    draft.write_all(bytes).on("write", path)?;
    draft.as_file().set_permissions(Permissions::from_mode(mode)).on("write", path)?;
    finish(draft.as_file()).on("write", path)?;
    draft.persist(path).map_err(|error| Error::new("write", path, error.error))?;
    Ok(())
}

/// A draft that is held, and so there until it takes its place.
fn begin(path: &Path) -> Result<NamedTempFile> {
    let folder = super::atomic::parent(path);
    for _ in 0..TRIES {
        let draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(folder);
        let draft = draft.on("write", path)?;
        lock_file(draft.as_file(), LockMode::Exclusive, true).on("lock a draft of", path)?;
        if draft.as_file().metadata().on("write", path)?.nlink() > 0 {
            return Ok(draft);
        }
    }
    Err(Error::new("write", path, io::Error::from(io::ErrorKind::TimedOut)))
}

/// Removes the drafts in this folder that nobody holds. A folder that is missing has none.
pub fn sweep_drafts(dir: &Path) -> Result<()> {
    each_left(dir, |path| super::remove_file(path).map(drop))
}

/// The drafts in this folder that nobody holds, without removing them.
pub fn left_drafts(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut left = Vec::new();
    each_left(dir, |path| {
        left.push(path.to_owned());
        Ok(())
    })?;
    Ok(left)
}

/// Calls `each` for every draft in a folder that nobody holds, which is held meanwhile.
fn each_left(dir: &Path, mut each: impl FnMut(&Path) -> Result<()>) -> Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.on("read", dir)?,
    };
    for entry in entries {
        let entry = entry.on("read", dir)?;
        if !entry.file_name().to_string_lossy().starts_with(DRAFT_PREFIX) {
            continue;
        }
        let path = entry.path();
        // One that is gone meanwhile has taken its place.
        let Ok(file) = File::open(&path) else { continue };
        if lock_file(&file, LockMode::Exclusive, false).on("lock", &path)? {
            each(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drafts_that_nobody_holds_go() {
        let dir = tempfile::tempdir().unwrap();
        let (dead, held, other) = (
            dir.path().join(".volt-dead"),
            dir.path().join(".volt-held"),
            dir.path().join("other"),
        );
        fs::write(&dead, "x").unwrap();
        fs::write(&other, "x").unwrap();
        let file = File::create(&held).unwrap();
        assert!(lock_file(&file, LockMode::Exclusive, false).unwrap());
        assert_eq!(left_drafts(dir.path()).unwrap(), std::slice::from_ref(&dead));
        sweep_drafts(dir.path()).unwrap();
        assert!(!dead.exists() && held.exists() && other.exists());
        sweep_drafts(&dir.path().join("missing")).unwrap();
    }

    #[test]
    fn writers_and_sweepers_side_by_side_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = dir.path().join(format!("file-{writer}"));
                scope.spawn(move || {
                    for round in 0..200_u32 {
                        write(&path, &round.to_ne_bytes(), 0o600, |_| Ok(())).unwrap();
                    }
                });
            }
            scope.spawn(|| (0..2000).for_each(|_| sweep_drafts(dir.path()).unwrap()));
        });
        for writer in 0..4 {
            let bytes = fs::read(dir.path().join(format!("file-{writer}"))).unwrap();
            assert_eq!(bytes, 199_u32.to_ne_bytes());
        }
    }
}
