//! All snapshots.

use super::Snapshot;
use crate::Engine;
use crate::error::Result;
use volt_model::name::Name;

impl Engine {
    /// Lists snapshots, those of one container together, the oldest first; all, or those of one container.
    ///
    /// # Errors
    /// `NotFound` for a container that isn't there and has left none.
    pub fn snapshot_list(&self, container: Option<&Name>) -> Result<Vec<Snapshot>> {
        let mut all = self.cas().snapshots()?;
        if let Some(container) = container {
            all.retain(|snapshot| snapshot.container == *container);
            if all.is_empty() {
                drop(self.spec(container)?);
            }
        }
        Ok(all)
    }
}
