//! What is different since a snapshot, or between two.

use super::Change;
use crate::error::Result;
use crate::{Engine, Progress};
use volt_model::name::Name;

impl Engine {
    /// What is different between a snapshot and another one of the same container, or the container as it is, in the order of
    /// paths. One that runs goes on meanwhile.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn snapshot_diff(
        &self,
        container: &Name,
        from: &Name,
        to: Option<&Name>,
        progress: &dyn Progress,
    ) -> Result<Vec<Change>> {
        let _lock = self.lock_name(container)?;
        let from = self.find_snapshot(container, from)?.tree;
        if let Some(to) = to {
            let to = self.find_snapshot(container, to)?.tree;
            return Ok(self.cas().changes_between(&from, &to)?);
        }
        let spec = self.spec(container)?;
        let reading = self.reading(&spec)?;
        let changes = self.cas().changes_since(&from, &reading.unkept(), progress);
        changes.map_err(|error| reading.explain(error))
    }
}
