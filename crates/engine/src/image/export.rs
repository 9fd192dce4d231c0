//! Writing an image out, for Volt or for others.

use crate::Engine;
use crate::error::Result;
use std::io::Write;
use volt_store::{Compression, ExportFormat, ExportOptions, Exported, Meant, Silent};

impl Engine {
    /// Writes an image out as a tar archive.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for what the format can't be compressed by; what the writer says.
    pub fn image_export(
        &self,
        image: &Meant,
        (format, compression): (ExportFormat, Compression),
        out: &mut dyn Write,
    ) -> Result<Exported> {
        let options = ExportOptions { format, compression, ..ExportOptions::default() };
        Ok(self.images().export(image.clone(), out, &options, &Silent)?)
    }
}
