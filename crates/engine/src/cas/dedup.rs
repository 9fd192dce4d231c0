//! Saying what is stored once in place of many times.

use crate::Engine;
use crate::error::Result;
use volt_store::Dedup;

impl Engine {
    /// What all trees share, and each pair of them.
    ///
    /// # Errors
    /// When a tree can't be read.
    pub fn cas_dedup(&self) -> Result<Dedup> {
        Ok(self.cas().dedup()?)
    }
}
