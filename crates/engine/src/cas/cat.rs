//! Writing out what is in a file of a tree, or in an object.

use crate::Engine;
use crate::error::Result;
use std::io::Write;
use volt_store::Pointer;

impl Engine {
    /// Writes what is in a file of a tree, or where no path is given what is in the object that the digest names. Whoever gets an error must not trust what was written.
    ///
    /// # Errors
    /// `NotFound`; `General`, naming the object, where it is damaged; what the writer says.
    pub fn cas_cat(&self, tree: &Pointer, path: &str, out: &mut dyn Write) -> Result<()> {
        Ok(self.cas().cat(tree, path, out)?)
    }
}
