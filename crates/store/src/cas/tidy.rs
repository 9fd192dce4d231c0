//! What processes that were killed left: drafts of objects, and leases.

use super::lease::{self, Collection};
use super::{Cas, Wanted};
use crate::error::Result;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use volt_host::files;

impl Cas {
    /// Drafts and leases whose makers are gone. Changes nothing.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>> {
        let look = || -> Result<Vec<PathBuf>> {
            let (mut left, living) = lease::left_and_living(&self.tmp())?;
            left.extend(self.dead_drafts(&living)?);
            Ok(left)
        };
        let mut left = look()?;
        if !left.is_empty() {
            // A lease is there for a moment before it is held.
            std::thread::sleep(std::time::Duration::from_millis(20));
            let still = look()?;
            left.retain(|path| still.contains(path));
        }
        Ok(left)
    }

    /// Removes them. After a power cut, what it may have left half on disk goes too; `wanted` says what containers stand on.
    pub fn tidy(&self, wanted: Wanted<'_>) -> Result<()> {
        if !self.tmp().is_dir() {
            return Ok(());
        }
        self.forget_power_cut(wanted)?;
        for folder in self.refs().folders().iter().chain([&self.index_dir()]) {
            files::sweep_drafts(folder)?;
        }
        if self.leftovers()?.is_empty() && !lease::has_dead(&self.tmp())? {
            return Ok(());
        }
        drop(Collection::begin(&self.tmp())?);
        let (_, living) = lease::left_and_living(&self.tmp())?;
        for path in self.dead_drafts(&living)? {
            files::remove_file(&path)?;
        }
        Ok(())
    }

    /// Removes what a power cut may have left half on disk: all that nothing reaches whose leases are of an earlier boot.
    pub(super) fn forget_power_cut(&self, wanted: Wanted<'_>) -> Result<()> {
        if lease::is_left_by_power_cut(&self.tmp())? {
            self.collect(wanted)?;
            lease::forget_earlier_boots(&self.tmp())?;
        }
        Ok(())
    }

    /// The folders in which refs are written.
    #[must_use]
    pub fn ref_folders(&self) -> Vec<PathBuf> {
        self.refs().folders().to_vec()
    }

    /// Drafts of objects whose makers hold no lease: nobody makes one without.
    fn dead_drafts(&self, living: &HashSet<String>) -> Result<Vec<PathBuf>> {
        let maker = |path: &Path| {
            let name = path.file_name()?.to_str()?.strip_prefix("object-")?;
            name.split('-').next().map(str::to_owned)
        };
        let mut drafts = crate::images::entries(&self.tmp())?;
        drafts.retain(|path| maker(path).is_some_and(|pid| !living.contains(&pid)));
        Ok(drafts)
    }
}
