//! Drafts: files that are written beside their place before they take it.
//!
//! A draft is held by an flock from its first moment on, so that of a process that was killed is known by nobody holding
//! it, and `sweep_drafts` removes it.

use super::lock::lock_file;
use super::{Context, Error, LockMode, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How the name of a draft begins.
pub const DRAFT_PREFIX: &str = ".volt-";
/// How often a draft is begun again that was swept away in the moment before it was held.
const TRIES: usize = 3;

/// Writes `bytes` to `path` by way of a draft; `finish` is called before it takes its place.
pub(super) fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    finish: impl Fn(&File) -> io::Result<()>,
) -> Result<()> {
    let folder = super::atomic::parent(path);
    let mut tries = 1;
    loop {
        let draft = tempfile::Builder::new().prefix(DRAFT_PREFIX).tempfile_in(folder);
        let mut draft = draft.on("write", path)?;
        lock_file(draft.as_file(), LockMode::Exclusive, true).on("lock a draft of", path)?;
        draft.write_all(bytes).on("write", path)?;
        draft.as_file().set_permissions(Permissions::from_mode(mode)).on("write", path)?;
        finish(draft.as_file()).on("write", path)?;
        match draft.persist(path) {
            Ok(_) => return Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                tries += 1;
            }
            Err(error) => return Err(Error::new("write", path, error.error)),
        }
    }
}

/// Removes the drafts in this folder that nobody holds. A folder that is missing has none.
pub fn sweep_drafts(dir: &Path) -> Result<()> {
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
            super::remove_file(&path)?;
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
            scope.spawn(|| (0..200).for_each(|_| sweep_drafts(dir.path()).unwrap()));
        });
        for writer in 0..4 {
            let bytes = fs::read(dir.path().join(format!("file-{writer}"))).unwrap();
            assert_eq!(bytes, 199_u32.to_ne_bytes());
        }
    }
}
