//! Locks on names: two commands on one name, from two processes, wait for each other or end in Conflict.

use crate::{Engine, Error, Result};
use std::time::Duration;
use volt_host::files::{self, Lock, LockError, LockMode, Wait};
use volt_model::name::Name;

/// How long a command waits for another one on the same name. Stops may take their time-out, and a start up to its own.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the files of locks are called that guard a workload, and its root.
const WORKLOAD: &str = "workload-";
const ROOT: &str = "root-";

fn lock_word(name: &Name) -> String {
    format!("{WORKLOAD}{name}")
}

fn root_word(name: &Name) -> String {
    format!("{ROOT}{name}")
}

/// The workload that the lock of this word guards, or its root.
pub(crate) fn guarded(word: &str) -> Option<Name> {
    [WORKLOAD, ROOT].iter().find_map(|guard| word.strip_prefix(guard)?.parse().ok())
}

impl Engine {
    /// Locks a name of a workload for a change, after finishing or undoing what a killed command left of it.
    pub(crate) fn lock_name(&self, name: &Name) -> Result<Lock> {
        let lock = loop {
            let lock = self.lock(&lock_word(name))?;
            let Some((from, to)) = self.rename_of(name) else { break lock };
            // It is finished or undone with both of its names locked, and these in their order.
            drop(lock);
            let _pair = self.lock_pair(&from, &to)?;
            self.recover(&from)?;
        };
        self.reserve().keep();
        self.recover(name)?;
        files::sweep_drafts(&self.paths().container(name))?;
        files::sweep_drafts(&self.dropin_dir(name))?;
        self.tidy_up(name);
        Ok(lock)
    }

    /// Locks a name, and leaves what a killed command left of it to others.
    pub(crate) fn hold_name(&self, name: &Name) -> Result<Lock> {
        Ok(self.locks().lock(&lock_word(name), LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// Finishes or undoes what killed commands left of other names, and removes what they were building. What another command is
    /// at work on is left to it; what fails is left to `system check`.
    fn tidy_up(&self, own: &Name) {
        for name in self.intended_names().iter().filter(|name| *name != own) {
            let free = |name| self.locks().lock(&lock_word(name), LockMode::Exclusive, Wait::No);
            let Ok(_lock) = free(name) else { continue };
            // Nothing that `own` is an end of is under way any more.
            let other =
                self.rename_of(name).map(|(from, to)| if from == *name { to } else { from });
            let Ok(_other) = other.as_ref().map(free).transpose() else { continue };
            if let Err(error) = self.recover(name) {
                tracing::warn!(%name, error = %error.chain().join(": "), "what a killed command left could not be tidied up");
            }
        }
    }

    /// Removes what killed commands were building: stages, and drafts of files.
    pub(crate) fn sweep_leftovers(&self) {
        let paths = self.paths();
        let mut folders = vec![paths.intents(), paths.ids(), paths.volumes()];
        folders.extend([paths.networks(), paths.bridges(), paths.taps()]);
        folders.extend([paths.etc.clone(), paths.lib.clone()]);
        let trees = self.cas().ref_folders();
        let drafts = folders.iter().chain(&trees).try_for_each(|dir| files::sweep_drafts(dir));
        if let Err(error) = files::sweep(&paths.stages()).map(drop).and(drafts) {
            tracing::warn!(error = %Error::from(error).chain().join(": "), "what killed commands were building could not be removed");
        }
    }

    /// Locks two names, in their order, so that two renames crossing each other don't wait for ever.
    pub(crate) fn lock_names(&self, one: &Name, other: &Name) -> Result<[Lock; 2]> {
        loop {
            // What killed commands left of either goes first: it may concern third names.
            for name in [one, other] {
                drop(self.lock_name(name)?);
            }
            let pair = self.lock_pair(one, other)?;
            let left = self.intended_names().iter().any(|name| name == one || name == other);
            if !left && self.rename_of(one).or_else(|| self.rename_of(other)).is_none() {
                return Ok(pair);
            }
        }
    }

    fn lock_pair(&self, one: &Name, other: &Name) -> Result<[Lock; 2]> {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        Ok([self.lock(&lock_word(first))?, self.lock(&lock_word(second))?])
    }

    /// Locks the root of a container against being mounted by another. Taken behind the name's lock, or by prepare alone.
    pub(crate) fn lock_root(&self, name: &Name) -> Result<Lock> {
        Ok(self.locks().lock(&root_word(name), LockMode::Exclusive, Wait::For(PATIENCE))?)
    }

    /// Whether somebody holds the lock of a word.
    pub(crate) fn is_busy(&self, word: &str) -> bool {
        let lock = self.locks().lock(word, LockMode::Exclusive, Wait::No);
        matches!(lock, Err(LockError::Held { .. }))
    }

    /// Whether a command is busy with the name at this moment.
    pub(crate) fn is_name_busy(&self, name: &Name) -> bool {
        self.is_busy(&lock_word(name))
    }

    /// Whether a command or the beginning or the end of a run is changing what a workload has.
    pub(crate) fn is_at_work(&self, name: &Name) -> bool {
        self.is_name_busy(name) || self.is_busy(&root_word(name))
    }

    /// Locks a word, and removes what killed commands were building.
    pub(crate) fn lock(&self, word: &str) -> Result<Lock> {
        let lock = self.locks().lock(word, LockMode::Exclusive, Wait::For(PATIENCE))?;
        self.sweep_leftovers();
        Ok(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::Intent;
    use crate::system::tests::{engine, spec, write_record};

    #[test]
    fn a_rename_that_broke_off_is_finished_with_both_names_locked() {
        let (_dir, engine) = engine();
        // `to` is the earlier name, so that it must be locked first.
        let (from, to): (Name, Name) = ("web".parse().unwrap(), "app".parse().unwrap());
        let mut moved = spec("web");
        moved.name = to.clone();
        write_record(&engine, &moved);
        let config = engine.paths().container(&to).join("config.json");
        std::fs::write(&config, serde_json::to_vec(&spec("web")).unwrap()).unwrap();
        engine.intend(&Intent::Rename { from: from.clone(), to: to.clone() }).unwrap();

        let other = engine.locks().lock(&lock_word(&to), LockMode::Exclusive, Wait::No).unwrap();
        let waiting = std::thread::spawn({
            let (engine, from) = (engine.clone(), from.clone());
            move || engine.lock_name(&from).map(drop)
        });
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(
            engine.spec(&to).unwrap().name,
            from,
            "whoever holds the other name is waited for"
        );
        drop(other);
        waiting.join().unwrap().unwrap();
        assert_eq!(engine.spec(&to).unwrap().name, to);
        assert_eq!(engine.intended_names(), []);
    }

    #[test]
    fn whoever_locks_the_new_name_finishes_the_rename() {
        let (_dir, engine) = engine();
        let (from, to): (Name, Name) = ("app".parse().unwrap(), "web".parse().unwrap());
        write_record(&engine, &spec("web"));
        let config = engine.paths().container(&to).join("config.json");
        std::fs::write(&config, serde_json::to_vec(&spec("app")).unwrap()).unwrap();
        engine.intend(&Intent::Rename { from, to: to.clone() }).unwrap();
        drop(engine.lock_names(&to, &"zoo".parse().unwrap()).unwrap());
        assert_eq!(engine.spec(&to).unwrap().name, to);
    }
}
