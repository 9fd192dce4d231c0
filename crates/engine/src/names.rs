//! Locks on names: two commands on one name, from two processes, wait for each other or end in Conflict.

use crate::{Engine, Result};
use std::time::Duration;
use volt_host::files::{Lock, LockMode, Wait};
use volt_model::name::Name;

/// How long a command waits for another one on the same name. Stops may take their time-out, and a start up to its own.
const PATIENCE: Duration = Duration::from_secs(90);

impl Engine {
    /// Locks a name of a workload for a change, after finishing or undoing what a killed command left of it.
    pub(crate) fn lock_name(&self, name: &Name) -> Result<Lock> {
        let lock = self.lock(&format!("workload-{name}"))?;
        self.recover(name)?;
        Ok(lock)
    }

    /// Locks two names, in their order, so that two renames crossing each other don't wait for ever.
    pub(crate) fn lock_names(&self, one: &Name, other: &Name) -> Result<[Lock; 2]> {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        Ok([self.lock_name(first)?, self.lock_name(second)?])
    }

    /// Locks a word.
    pub(crate) fn lock(&self, word: &str) -> Result<Lock> {
        Ok(self.locks().lock(word, LockMode::Exclusive, Wait::For(PATIENCE))?)
    }
}
