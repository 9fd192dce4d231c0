//! Writing an image out, for Volt or for others.

use crate::Engine;
use crate::error::Result;
use std::io::Write;
use volt_model::image::ImageRef;
use volt_store::{Compression, ExportFormat, ExportOptions, Exported, Silent};

impl Engine {
    /// Writes an image out as a tar archive.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for what the format can't be compressed by; what the writer says.
    pub fn image_export(
        &self,
        name: &ImageRef,
        (format, compression): (ExportFormat, Compression),
        out: &mut dyn Write,
    ) -> Result<Exported> {
        let options = ExportOptions { format, compression, ..ExportOptions::default() };
        Ok(self.images().export(name, out, &options, &Silent)?)
    }
}
