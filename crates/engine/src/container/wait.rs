//! Waiting until a container has ended.

use crate::Engine;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use volt_model::container::{Exit, Spec};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How long is waited at most for news before the state is asked for again.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often the state is asked for where nothing tells of a change.
const LOOK: Duration = Duration::from_millis(50);
/// How long the record of a run is waited for whose own process was killed: a unit of its own makes it, a moment after the end.
const RECORD_PATIENCE: Duration = Duration::from_secs(15);

impl Engine {
    /// Waits until a container has ended, and returns how; at once where it doesn't run. `gone` is set when nobody waits
    /// any more.
    ///
    /// # Errors
    /// `NotFound`, also where it was removed meanwhile by hand; `Interrupted` when `gone` was set.
    pub fn container_wait(&self, name: &Name, gone: &AtomicBool) -> Result<Exit> {
        let spec = self.spec(name)?;
        // Before the first look, so that no change is missed between the two.
        let news = self.backend_of(&spec).watch(self, &spec);
        let mut recorded_by = None;
        while !gone.load(Ordering::Relaxed) {
            if !self.run_state(&spec)?.state.is_alive() {
                let until = *recorded_by.get_or_insert_with(|| Instant::now() + RECORD_PATIENCE);
                if self.open_run(name).is_none() || Instant::now() > until {
                    return self.how_it_ended(&spec);
                }
                std::thread::sleep(LOOK);
                continue;
            }
            recorded_by = None;
            // Whatever comes, the state is asked for again.
            match news.as_ref().map(|news| news.next(INTERVAL)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => std::thread::sleep(LOOK),
            }
        }
        Err(Error::new(ErrorKind::Interrupted, "Nobody waits any more").about(name))
    }

    fn how_it_ended(&self, spec: &Spec) -> Result<Exit> {
        let name = &spec.name;
        // The record first: where it is gone, what was kept of it was written before.
        let recorded = match self.spec(name) {
            Ok(now) if now.created == spec.created => self.last_exit(name),
            _ => None,
        };
        if let Some(exit) = recorded.or_else(|| self.kept_end(name, spec.created)) {
            return Ok(exit);
        }
        // Removed by hand it left no word; else there is none yet.
        self.spec(name)?;
        Err(Error::new(ErrorKind::Conflict, format!("The container {name} has never run"))
            .about(name))
    }
}
