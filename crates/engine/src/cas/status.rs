//! Saying what the store has and what that takes.

use crate::Engine;
use crate::error::Result;
use volt_store::Status;

impl Engine {
    /// What the store has and what that takes on disk.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn cas_status(&self) -> Result<Status> {
        Ok(self.cas().status()?)
    }
}
