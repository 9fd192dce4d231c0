//! Removing a volume.

use super::{inspect, users};
use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use volt_host::files::{self, Stage};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// Removes a volume with its content.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`, naming them, while containers mount it.
    pub fn volume_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_volume(name)?;
        if !self.volume_exists(name) {
            // What a killed creation or removal left of it.
            remove_metadata(&self.volume_metadata_path(name))?;
            return Err(inspect::missing(name));
        }
        if let Some(users) = users(&self.specs()?).remove(name) {
            let all = users.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The volume {name} is mounted by {all}"),
            )
            .about(name)
            .hinted("Remove those containers first: volt container delete NAME"));
        }
        // One rename takes it out of the way; emptying it may take long, and a kill in it leaves a stage.
        let stage = Stage::new(&self.paths().stages(), &format!("volume-{name}"))?;
        let path = self.volume_dir(name);
        std::fs::rename(&path, stage.path().join("volume"))
            .map_err(|e| files::Error::new("remove", &path, e))?;
        remove_metadata(&self.volume_metadata_path(name))?;
        Ok(files::sync_dir(&self.paths().volumes())?)
    }
}

/// Removes a metadata file, where there is one.
pub(super) fn remove_metadata(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(files::Error::new("remove", path, e).into())
        }
        _ => Ok(()),
    }
}
