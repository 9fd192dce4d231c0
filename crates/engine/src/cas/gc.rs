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
        let (cas, wanted) = (self.cas(), || self.wanted_trees());
        if dry_run {
            return Ok(cas.garbage(&wanted)?);
        }
        cas.tidy(&wanted)?;
        Ok(cas.collect(&wanted)?)
    }
}
