//! Snapshots that nobody can use as they are. They hold data of users, so none is removed: one that can't be read, which would keep
//! all garbage in the store, is moved away.

use super::{Facts, Found, Mend};
use crate::Engine;

impl Engine {
    /// Snapshots whose container is gone, and those that can't be read.
    pub(super) fn snapshot_findings(&self, facts: &Facts) -> Vec<Found> {
        let snapshots = match self.cas().each_snapshot() {
            Ok(snapshots) => snapshots,
            Err(error) => {
                let why = crate::Error::from(error).chain().join(": ");
                let problem = format!("they can't be looked at: {why}");
                return vec![Found::new(&"snapshots", problem, Mend::Nothing)];
            }
        };
        let mut found = Vec::new();
        for (path, read) in snapshots {
            match read {
                Ok(snapshot) => {
                    let container = &snapshot.container;
                    if !facts.containers.contains(container) && !self.is_name_busy(container) {
                        let why = format!(
                            "its container is gone; `volt snapshot delete {container} {}` removes it",
                            snapshot.name
                        );
                        found.push(Found::path(&path, why, Mend::Nothing));
                    }
                }
                Err(error) => {
                    let why = crate::Error::from(error).chain().join(": ");
                    let why = format!("{why}; it is moved away");
                    found.push(Found::path(&path, why, Mend::MoveAway(path.clone())));
                }
            }
        }
        found
    }
}
