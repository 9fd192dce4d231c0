//! Checking everything in the store, and getting back what is damaged.

use crate::error::Result;
use crate::{Engine, Progress};
use std::path::PathBuf;
use volt_store::Verified;

impl Engine {
    /// Reads every object and tree; what is not what its name says goes to quarantine. With `repair`, what is damaged is
    /// fetched again from these folders; where there are none, from those that the trees were made of.
    ///
    /// # Errors
    /// `Usage` and `NotFound` for what is no folder; when the store can't be read.
    pub fn cas_verify(
        &self,
        repair: Option<&[PathBuf]>,
        progress: &dyn Progress,
    ) -> Result<Verified> {
        for dir in repair.unwrap_or_default() {
            super::folder(dir)?;
        }
        let (cas, standing) = (self.cas(), self.standing()?);
        let mut verified = cas.verify(&standing, progress)?;
        if let Some(from) = repair {
            cas.repair(&mut verified, from, &standing, progress)?;
        }
        Ok(verified)
    }
}
