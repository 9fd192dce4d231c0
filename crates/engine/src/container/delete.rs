//! Removing a container and what it wrote.

use super::backend;
use super::start::refuse;
use crate::Engine;
use crate::error::Result;
use crate::intent::Intent;
use volt_host::files;
use volt_model::container::{Backend, Spec};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::Verb;

impl Engine {
    /// Removes a container; `force` stops it first, and removes one whose record can't be read too.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that runs.
    pub fn container_delete(&self, name: &Name, force: bool) -> Result<()> {
        let _lock = self.lock_name(name)?;
        let spec = match self.spec(name) {
            Err(error) if force && error.kind == ErrorKind::InvalidConfig => None,
            read => Some(read?),
        };
        if let Some(spec) = spec.as_ref().filter(|_| !force) {
            refuse(name, self.settled_state(spec)?, Verb::Delete)?;
        }
        match self.intend(&Intent::Delete { name: name.clone() }) {
            // It frees the very space that is missing. Where it is killed on the way, `system check` finds the rest.
            Err(error) if error.kind == ErrorKind::Resource => {
                tracing::warn!(%name, "removed without an intent: the disk is full");
            }
            other => other?,
        }
        if let Some(Err(error)) = spec.map(|spec| self.end_for_good(&spec)) {
            // It runs on, and nothing was removed.
            self.fulfil(name)?;
            return Err(error);
        }
        self.remove_all_of(name)?;
        self.fulfil(name)
    }

    /// Ends a container that is about to be removed.
    fn end_for_good(&self, spec: &Spec) -> Result<()> {
        if !self.run_state(spec)?.state.is_alive() {
            return Ok(());
        }
        let backend = self.backend_of(spec);
        backend.kill(self, spec, 9).or_else(|_| backend.stop(self, spec, None))
    }

    /// Does what a killed removal had not yet done. The name's lock must be held.
    pub(crate) fn finish_delete(&self, name: &Name) -> Result<()> {
        // Where it is gone in part, so is its record.
        if let Ok(spec) = self.spec(name) {
            self.end_for_good(&spec)?;
        }
        self.remove_all_of(name)
    }

    fn remove_all_of(&self, name: &Name) -> Result<()> {
        for kind in Backend::ALL {
            backend::of(kind).uninstall(self, name)?;
        }
        self.cas().forget_snapshots(name)?;
        self.forget_layer(name);
        files::remove_tree(&self.paths().container(name))?;
        self.give_addresses_back(name)?;
        self.forget_health(name)?;
        self.release_ids(name)
    }
}
