//! Writing a tree out.

use crate::error::Result;
use crate::{Engine, Progress};
use std::io::Write;
use volt_store::Pointer;

impl Engine {
    /// Writes a tree as a tar archive: the same tree gives the same bytes. Whoever gets an error must not trust what was
    /// written.
    ///
    /// # Errors
    /// `NotFound`; `General`, naming object and path, where something is damaged; what the writer says.
    pub fn cas_export(
        &self,
        tree: &Pointer,
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<u64> {
        Ok(self.cas().export(tree, out, progress)?)
    }
}
