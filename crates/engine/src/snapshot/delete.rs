//! Removing a snapshot.

use crate::Engine;
use crate::error::Result;
use volt_model::name::Name;

impl Engine {
    /// Removes a snapshot, and what nothing else in the store needs then.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn snapshot_delete(&self, container: &Name, name: &Name) -> Result<()> {
        {
            let _lock = self.lock_name(container)?;
            if !self.cas().forget_snapshot(container, name)? {
                self.find_snapshot(container, name)?;
            }
        }
        self.collect_images();
        Ok(())
    }
}
