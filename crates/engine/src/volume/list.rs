//! All volumes.

use super::{View, users};
use crate::Engine;
use crate::error::Result;

impl Engine {
    /// Lists volumes, sorted by name, without their sizes.
    ///
    /// # Errors
    /// When the folder of volumes or that of containers can't be read.
    pub fn volume_list(&self) -> Result<Vec<View>> {
        let mut users = users(&self.specs()?);
        let view = |name| {
            let used_by = users.remove(&name).unwrap_or_default();
            self.volume_view(&name, used_by)
        };
        Ok(self.volume_names()?.into_iter().map(view).collect())
    }
}
