//! Taking away the name of a tree.

use crate::Engine;
use crate::error::Result;
use volt_store::Pointer;

impl Engine {
    /// Takes away a name that `cas build` gave. What nothing else needs then goes with the next collection.
    ///
    /// # Errors
    /// `NotFound`; `Usage` for the name of an image or snapshot, which have commands of their own.
    pub fn cas_delete(&self, name: &Pointer) -> Result<()> {
        Ok(self.cas().forget(name)?)
    }
}
