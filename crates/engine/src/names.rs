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
        self.reserve().keep();
        self.recover(name)?;
        files::sweep_drafts(&self.paths().container(name))?;
        files::sweep_drafts(&self.dropin_dir(name))?;
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
    }

    /// Removes what killed commands were building: stages, and drafts of files.
    pub(crate) fn sweep_leftovers(&self) {
        let paths = self.paths();
        let refs = paths.lib.join("images/refs");
        let folders = [paths.intents(), paths.ids(), paths.volumes(), paths.etc.clone(), refs];
        let drafts = folders.iter().try_for_each(|dir| files::sweep_drafts(dir));
        if let Err(error) = files::sweep(&paths.stages()).map(drop).and(drafts) {
            tracing::warn!(error = %Error::from(error).chain().join(": "), "what killed commands were building could not be removed");
        }
    }

    /// Locks two names, in their order, so that two renames crossing each other don't wait for ever.
    pub(crate) fn lock_names(&self, one: &Name, other: &Name) -> Result<[Lock; 2]> {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        Ok([self.lock_name(first)?, self.lock_name(second)?])
    }

    /// Locks the root of a container against being mounted by another. Taken behind the name's lock, or by prepare alone.
    pub(crate) fn lock_root(&self, name: &Name) -> Result<Lock> {
        Ok(self.locks().lock(&format!("root-{name}"), LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// Locks a word, and removes what killed commands were building.
    pub(crate) fn lock(&self, word: &str) -> Result<Lock> {
        let lock = self.locks().lock(word, LockMode::Exclusive, Wait::For(PATIENCE))?;
        self.sweep_leftovers();
        Ok(lock)
    }
}
