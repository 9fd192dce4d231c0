//! Giving a stopped container another name.

use super::start::refuse;
use crate::Engine;
use crate::compose::is_set_aside;
use crate::error::{Error, Result};
use crate::intent::Intent;
use volt_host::files;
use volt_model::config::is_reserved;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::Verb;

impl Engine {
    /// Gives the container `from` the name `to`. Its user ids stay, so what it wrote stays its own.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Conflict` for one that runs.
    pub fn container_rename(&self, from: &Name, to: &Name) -> Result<super::View> {
        if from == to {
            return self.view(&self.spec(from)?);
        }
        let _locks = self.lock_names(from, to)?;
        let spec = self.spec(from)?;
        refuse(from, self.settled_state(&spec)?, Verb::Rename)?;
        let other = self.service_exists(to) || self.task_exists(to);
        if self.container_exists(to) || other || is_reserved(to) {
            return Err(
                Error::new(ErrorKind::AlreadyExists, format!("The name {to} is taken")).about(to)
            );
        }
        self.refuse_name_of_tap(to)?;
        if !is_set_aside(&spec, from, to) {
            self.refuse_rename_in_orders(from)?;
        }
        self.intend(&Intent::Rename { from: from.clone(), to: to.clone() })?;
        let (old, new) = (self.paths().container(from), self.paths().container(to));
        std::fs::rename(&old, &new).map_err(|e| files::Error::new("rename", &old, e))?;
        files::sync_dir(&self.paths().containers())?;
        self.finish_rename(from, to)?;
        self.fulfil(from)?;
        self.view(&self.spec(to)?)
    }

    /// Finishes a rename whose folder has moved; one whose folder has not was never begun. The lock of `from` must be held; may
    /// be called again after a crash.
    pub(crate) fn finish_rename(&self, from: &Name, to: &Name) -> Result<()> {
        let config = self.paths().container(to).join("config.json");
        if self.container_exists(from) || !config.exists() {
            return Ok(());
        }
        let mut spec: volt_model::container::Spec = files::read_json(&config, 4 << 20)?;
        if spec.name == *from {
            if spec.hostname == from.as_str() {
                spec.hostname = to.to_string();
            }
            spec.name = to.clone();
            self.save_spec(&spec)?;
        }
        if let Some(ids) = spec.ids {
            self.pass_ids(ids, to)?;
        }
        self.pass_addresses(from, to)?;
        self.cas().pass_snapshots(from, to)?;
        if is_set_aside(&spec, from, to) {
            self.forget_health(from)?;
        } else {
            self.pass_health(from, to)?;
            self.pass_orders(from, to)?;
        }
        let at_boot = self.starts_at_boot(from);
        let backend = self.backend_of(&spec);
        backend.install(self, &spec)?;
        self.start_at_boot(to, at_boot || self.starts_at_boot(to))?;
        backend.uninstall(self, from)
    }
}
