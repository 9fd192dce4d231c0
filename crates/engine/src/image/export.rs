//! Writing an image out.

use crate::Engine;
use crate::error::Result;
use std::io::Write;
use volt_model::image::ImageRef;
use volt_store::{Compression, ExportOptions, Exported, Silent};

impl Engine {
    /// Writes an image out as a tar archive.
    ///
    /// # Errors
    /// `NotFound`; what the writer says.
    pub fn image_export(
        &self,
        name: &ImageRef,
        compression: Compression,
        out: &mut dyn Write,
    ) -> Result<Exported> {
        let options = ExportOptions { compression, ..ExportOptions::default() };
        Ok(self.images().export(name, out, &options, &Silent)?)
    }
}
