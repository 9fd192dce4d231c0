//! Waiting until a container has ended.

use crate::Engine;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use volt_model::container::Exit;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How often the state is asked for where nothing tells of a change.
const INTERVAL: Duration = Duration::from_millis(100);

impl Engine {
    /// Waits until a container has ended, and returns how; at once where it doesn't run. `gone` is set when nobody waits
    /// any more.
    ///
    /// # Errors
    /// `NotFound`, also where it was removed meanwhile without leaving word; `Interrupted` when `gone` was set.
    pub fn container_wait(&self, name: &Name, gone: &AtomicBool) -> Result<Exit> {
        let spec = self.spec(name)?;
        let mut last = None;
        while !gone.load(Ordering::Relaxed) {
            let alive = self.run_state(&spec)?.state.is_alive();
            last = self.last_exit(name).or(last);
            if !alive {
                return last.ok_or_else(|| {
                    Error::new(ErrorKind::Conflict, format!("The container {name} has never run"))
                        .about(name)
                });
            }
            std::thread::sleep(INTERVAL);
        }
        Err(Error::new(ErrorKind::Interrupted, "Nobody waits any more").about(name))
    }
}
