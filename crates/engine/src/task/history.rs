//! How the runs of a task ended.

use crate::Engine;
use crate::error::Result;
use volt_model::name::Name;
use volt_model::task::Run;

impl Engine {
    /// The newest runs of a task that have ended, the newest last.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_history(&self, name: &Name) -> Result<Vec<Run>> {
        drop(self.task_spec(name)?);
        self.task_runs(name)
    }
}
