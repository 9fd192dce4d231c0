//! Saying what is different between two trees.

use crate::Engine;
use crate::error::Result;
use volt_store::{Change, Pointer};

impl Engine {
    /// What is different between two trees, by path.
    ///
    /// # Errors
    /// `NotFound`; `General` where one is damaged.
    pub fn cas_diff(&self, from: &Pointer, to: &Pointer) -> Result<Vec<Change>> {
        Ok(self.cas().diff(from, to)?)
    }
}
