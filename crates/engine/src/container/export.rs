//! Writing a container's root out as a tar archive, with the ids that the container sees.

use crate::Engine;
use crate::error::Result;
use std::io::Write;
use volt_model::name::Name;
use volt_store::{ExportOptions, Images, Progress};

impl Engine {
    /// Writes a container's root; volumes are left out.
    ///
    /// # Errors
    /// `NotFound`; `General` when `out` can't be written.
    pub fn container_export(
        &self,
        name: &Name,
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.with_root(name, "/", |spec, root| {
            let options = ExportOptions {
                id_base: spec.ids.map_or(0, |ids| ids.base()),
                ..ExportOptions::default()
            };
            drop(Images::export_tree(root, out, &options, progress)?);
            Ok(())
        })
    }
}
