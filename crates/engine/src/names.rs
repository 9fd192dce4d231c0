//! Locks on names: two commands on one name, from two processes, wait for each other or end in Conflict.

use crate::{Engine, Error, Result};
use std::time::Duration;
use volt_host::files::{self, Lock, LockMode, Wait};
use volt_model::name::Name;

/// How long a command waits for another one on the same name. Stops may take their time-out, and a start up to its own.
const PATIENCE: Duration = Duration::from_secs(90);

fn lock_word(name: &Name) -> String {
    format!("workload-{name}")
}

impl Engine {
    /// Locks a name of a workload for a change, after finishing or undoing what a killed command left of it.
    pub(crate) fn lock_name(&self, name: &Name) -> Result<Lock> {
        let lock = self.lock(&lock_word(name))?;
        self.recover(name)?;
        self.tidy_up(name);
        Ok(lock)
    }

    /// Finishes or undoes what killed commands left of other names, and removes what they were building. What another command is
    /// at work on is left to it; what fails is left to `system check`.
    fn tidy_up(&self, own: &Name) {
        for name in self.intended_names().iter().filter(|name| *name != own) {
            let Ok(_lock) = self.locks().lock(&lock_word(name), LockMode::Exclusive, Wait::No)
            else {
                continue;
            };
            if let Err(error) = self.recover(name) {
                tracing::warn!(%name, error = %error.chain().join(": "), "what a killed command left could not be tidied up");
            }
        }
        self.sweep_stages();
    }

    /// Removes what killed commands were building.
    pub(crate) fn sweep_stages(&self) {
        if let Err(error) = files::sweep(&self.paths().stages()) {
            tracing::warn!(error = %Error::from(error).chain().join(": "), "stages of killed commands could not be removed");
        }
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
