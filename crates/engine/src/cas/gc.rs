//! Removing what nothing reaches.

use crate::Engine;
use crate::error::Result;
use volt_store::Swept;

impl Engine {
    /// Removes every object that no name, container or command under way needs; with `dry_run` only says what would go.
    ///
    /// # Errors
    /// When a name or a tree can't be read: nothing goes then.
    pub fn cas_gc(&self, dry_run: bool) -> Result<Swept> {
        if dry_run {
            return Ok(self.cas().garbage(&|| self.wanted_trees())?);
        }
        self.collect_garbage()
    }

    /// Removes what nothing needs: objects, and the roots of trees that nobody stands on.
    pub(crate) fn collect_garbage(&self) -> Result<Swept> {
        let (cas, wanted) = (self.cas(), || self.wanted_trees());
        cas.tidy(&wanted)?;
        if !self.config()?.image.keep_blobs {
            self.images().forget_blobs()?;
        }
        let swept = cas.collect(&wanted)?;
        cas.roots().sweep(&|| cas.standing_trees(&wanted))?;
        Ok(swept)
    }
}
