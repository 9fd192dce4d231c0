//! All volumes.

use super::{View, users};
use crate::Engine;
use crate::error::Result;
use crate::system::measure;
use volt_model::volume;

impl Engine {
    /// Lists volumes, sorted by name, with what they take on disk; not those that lie on a server, which may take long to answer.
    ///
    /// # Errors
    /// When the folder of volumes or that of containers can't be read.
    pub fn volume_list(&self) -> Result<Vec<View>> {
        let mut users = users(&self.specs()?);
        let view = |name| {
            let used_by = users.remove(&name).unwrap_or_default();
            let view = self.volume_view(&name, used_by);
            let remote = volume::mounted(view.driver, &view.options)
                .is_ok_and(|found| found.is_some_and(|found| found.is_remote()));
            let size = if remote { None } else { measure::size(&view.path) };
            View { size, ..view }
        };
        Ok(self.volume_names()?.into_iter().map(view).collect())
    }
}
