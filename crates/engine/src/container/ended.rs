//! How containers ended that were removed when they did: kept until the next boot, so that whoever waits is told although the
//! record is gone. Bounded; the oldest go first.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::SystemTime;
use volt_host::files;
use volt_model::container::{Exit, Spec};
use volt_model::name::Name;

/// How many ends are kept.
const KEPT: usize = 256;

/// The most one file may hold, in bytes.
const MAX: usize = 1 << 16;

/// The end of one container. Its name may be another's by now, but none was made at the same moment.
#[derive(Serialize, Deserialize)]
struct End {
    created: Timestamp,
    exit: Exit,
}

impl Engine {
    fn ends(&self) -> PathBuf {
        self.paths().run.join("ended")
    }

    /// Keeps how a container that is about to be removed has ended.
    pub(super) fn keep_end(&self, spec: &Spec, exit: &Exit) -> Result<()> {
        let dir = self.ends();
        files::create_dirs(&dir, 0o755)?;
        let end = End { created: spec.created, exit: exit.clone() };
        let text = serde_json::json!(end).to_string();
        files::write_volatile(&dir.join(format!("{}.json", spec.name)), text.as_bytes(), 0o644)?;
        self.forget_old_ends();
        Ok(())
    }

    /// How a container ended that was removed when it did, as long as that is known.
    pub(super) fn kept_end(&self, name: &Name, created: Timestamp) -> Option<Exit> {
        let end: End = files::read_json(&self.ends().join(format!("{name}.json")), MAX).ok()?;
        (end.created == created).then_some(end.exit)
    }

    /// Nothing depends on it: what can't be removed now is removed the next time.
    fn forget_old_ends(&self) {
        let Ok(entries) = std::fs::read_dir(self.ends()) else { return };
        let age = |entry: &std::fs::DirEntry| {
            entry.metadata().and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let mut all: Vec<_> = entries.flatten().map(|e| (age(&e), e.path())).collect();
        let over = all.len().saturating_sub(KEPT);
        all.sort_unstable();
        for (_, path) in all.into_iter().take(over) {
            drop(std::fs::remove_file(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::{engine, spec};

    #[test]
    fn an_end_outlives_the_record_but_is_not_anothers() {
        let (_dir, engine) = engine();
        let once = Spec { auto_remove: true, ..spec("once") };
        crate::system::tests::write_record(&engine, &once);
        let exit = Exit { code: 7, reason: "exited".into(), finished: Timestamp::UNIX_EPOCH };
        engine.save_exit(&once.name, &exit).unwrap();
        files::remove_tree(&engine.paths().container(&once.name)).unwrap();
        assert_eq!(engine.kept_end(&once.name, once.created), Some(exit));
        assert_eq!(engine.kept_end(&once.name, Timestamp::now()), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let (_dir, engine) = engine();
        let exit = Exit { code: 0, reason: "exited".into(), finished: Timestamp::UNIX_EPOCH };
        for n in 0..KEPT + 5 {
            engine.keep_end(&spec(&format!("once-{n}")), &exit).unwrap();
        }
        assert_eq!(std::fs::read_dir(engine.ends()).unwrap().count(), KEPT);
        let last = spec(&format!("once-{}", KEPT + 4));
        assert!(engine.kept_end(&last.name, last.created).is_some());
    }
}
