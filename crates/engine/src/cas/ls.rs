//! Looking into a tree.

use crate::Engine;
use crate::error::Result;
use volt_store::{Pointer, TreeEntry};

impl Engine {
    /// What is in a folder of a tree; the entry itself where it is none.
    ///
    /// # Errors
    /// `NotFound`; `General` where the tree is damaged.
    pub fn cas_ls(&self, tree: &Pointer, path: &str, recursive: bool) -> Result<Vec<TreeEntry>> {
        Ok(self.cas().ls(tree, path, recursive)?)
    }
}
