//! Listing trees.

use crate::Engine;
use crate::error::Result;
use volt_store::NamedTree;

impl Engine {
    /// All names of trees, sorted by kind and name.
    ///
    /// # Errors
    /// When the names can't be read.
    pub fn cas_list(&self) -> Result<Vec<NamedTree>> {
        Ok(self.cas().list()?)
    }
}
