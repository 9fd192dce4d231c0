//! Removing a container and what it wrote.

use super::backend;
use super::start::refuse;
use crate::Engine;
use crate::error::Result;
use crate::intent::Intent;
use volt_host::files;
use volt_model::container::Backend;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::Verb;

impl Engine {
    /// Removes a container; `force` stops it first.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that runs.
    pub fn container_delete(&self, name: &Name, force: bool) -> Result<()> {
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let state = self.run_state(&spec)?.state;
        if !force {
            refuse(name, state, Verb::Delete)?;
        }
        if state.is_alive() {
            let backend = self.backend_of(&spec);
            backend.kill(self, &spec, 9).or_else(|_| backend.stop(self, &spec, None))?;
        }
        match self.intend(&Intent::Delete { name: name.clone() }) {
            // It frees the very space that is missing. Where it is killed on the way, `system check` finds the rest.
            Err(error) if error.kind == ErrorKind::Resource => {
                tracing::warn!(%name, "removed without an intent: the disk is full");
            }
            other => other?,
        }
        self.finish_delete(name)?;
        self.fulfil(name)
    }

    /// Removes all there is of a container. The name's lock must be held; may be called again after a crash.
    pub(crate) fn finish_delete(&self, name: &Name) -> Result<()> {
        for kind in Backend::ALL {
            backend::of(kind).uninstall(self, name)?;
        }
        files::remove_tree(&self.paths().container(name))?;
        self.release_ids(name)
    }
}
