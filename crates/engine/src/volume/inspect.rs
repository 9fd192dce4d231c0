//! One volume with its size.

use super::{View, users};
use crate::Engine;
use crate::error::{Error, Result};
use crate::system::measure;
use volt_model::name::Name;

impl Engine {
    /// Shows a volume, with what it takes on disk.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn volume_inspect(&self, name: &Name) -> Result<View> {
        if !self.volume_exists(name) {
            return Err(missing(name));
        }
        let used_by = users(&self.specs()?).remove(name).unwrap_or_default();
        let size = measure::size(&self.volume_data(name));
        Ok(View { size, ..self.volume_view(name, used_by) })
    }
}

/// There is no such volume.
pub(super) fn missing(name: &Name) -> Error {
    Error::not_found("volume", name).hinted("`volt volume list` lists all there are")
}
