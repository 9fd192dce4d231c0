//! Sending a signal to a container's command.

use super::start::refuse;
use crate::Engine;
use crate::error::Result;
use volt_model::name::Name;
use volt_model::state::Verb;

impl Engine {
    /// Sends signal number `signal` to a container's command; SIGKILL ends all its processes.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that doesn't run.
    pub fn container_kill(&self, name: &Name, signal: u8) -> Result<super::View> {
        // Without the name's lock: a signal is wanted most when a stop takes long.
        let spec = self.spec(name)?;
        let backend = self.backend_of(&spec);
        refuse(name, backend.state(self, &spec)?.state, Verb::Kill)?;
        backend.kill(self, &spec, signal)?;
        self.view(&spec)
    }
}
