//! Removing a volume.

use super::{inspect, users};
use crate::Engine;
use crate::error::{Error, Result};
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
            self.remove_volume(name)?;
            return Err(inspect::missing(name));
        }
        if let Some(users) = users(&self.every_spec()?).remove(name) {
            let all = users.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The volume {name} is mounted by {all}"),
            )
            .about(name)
            .hinted("Remove those containers first: volt container delete NAME"));
        }
        self.remove_volume(name)
    }

    /// Removes a volume, or what a killed creation or removal left of it. Its lock must be held.
    pub(crate) fn remove_volume(&self, name: &Name) -> Result<()> {
        self.unmount_volume(name)?;
        if self.volume_exists(name) {
            // One rename takes it out of the way; emptying it may take long, and a kill in it leaves a stage.
            let stage = Stage::new(&self.paths().stages(), &format!("volume-{name}"))?;
            let path = self.volume_dir(name);
            std::fs::rename(&path, stage.path().join("volume"))
                .map_err(|e| files::Error::new("remove", &path, e))?;
        }
        if files::remove_file(&self.volume_metadata_path(name))? {
            files::sync_dir(&self.paths().volumes())?;
        }
        self.settle_volume(name, None)
    }
}
