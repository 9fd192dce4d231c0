//! Which roots were read whole since the host was booted, and found good: `cas/index/checked-BOOT/`, a file for each.
//!
//! A root rests on objects, and may be another name of them: whoever takes one out of its place forgets all marks first, so
//! that no root is believed any more that may have it.

use crate::error::{Error, Result};
use std::fs;
use std::path::PathBuf;
use volt_host::files;

/// How the folders of marks are called, by the boots they are of.
pub(super) const CHECKED: &str = "checked-";

/// The marks of one store.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    index: PathBuf,
}

impl Marks {
    pub(super) fn new(index: PathBuf) -> Self {
        Self { index }
    }

    /// Where those of this boot lie.
    pub(crate) fn dir(&self) -> Result<PathBuf> {
        Ok(self.index.join(format!("{CHECKED}{}", super::lease::boot()?)))
    }

    /// Whether a root has one.
    pub(crate) fn has(&self, root: &str) -> Result<bool> {
        Ok(self.dir()?.join(root).exists())
    }

    /// Gives a root one.
    pub(crate) fn set(&self, root: &str) -> Result<()> {
        let dir = self.dir()?;
        files::create_dirs(&dir, 0o700)?;
        let path = dir.join(root);
        fs::write(&path, b"").map_err(|error| Error::io("write", &path, error))
    }

    /// Has all roots read again before they are used.
    pub(crate) fn forget(&self) -> Result<()> {
        // One by one: the folder stays for whoever is about to set one.
        let marks = crate::images::entries(&self.dir()?)?;
        marks.iter().try_for_each(|path| Ok(files::remove_file(path).map(drop)?))
    }
}
