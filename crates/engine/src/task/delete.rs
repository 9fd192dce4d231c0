//! Removing a task, with its units and the folders that systemd made for it.

use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use crate::plain::Written;
use volt_host::files;
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::task::unit;

impl Engine {
    /// Removes a task; `force` ends a run that is under way, and removes one whose record can't be read too.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that runs.
    pub fn task_delete(&self, name: &Name, force: bool) -> Result<()> {
        self.remove_task(name, force, Written::Removed)
    }

    /// The same, where it may be that what it wrote stays.
    pub(crate) fn remove_task(&self, name: &Name, force: bool, written: Written) -> Result<()> {
        self.require_units()?;
        let _lock = self.lock_name(name)?;
        match self.task_spec(name) {
            Err(error) if force && error.kind == ErrorKind::InvalidConfig => {}
            read => drop(read?),
        }
        let (service, timer) = (unit::service(name), unit::timer(name));
        let up = self.systemd().unit_status(&service)?.active.is_up();
        if up && !force {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("A run of the task {name} is under way"),
            )
            .about(name)
            .hinted("Wait until it has ended, or end it with --force"));
        }
        // The timer first, so that it starts no other run.
        self.plain_job(JobKind::Stop, &timer)?;
        if up {
            self.thaw_task(name);
            self.plain_job(JobKind::Stop, &service)?;
        }
        drop(self.systemd().reset_failed(&service));
        if written == Written::Removed {
            self.clean_unit(&service);
        }
        self.clean_unit(&timer);
        self.intend(&Intent::Units { name: name.clone() })?;
        drop(self.systemd().disable(&[&timer], Lifetime::Persistent));
        files::remove_tree(&self.paths().task(name))?;
        self.settle_units(name)?;
        self.fulfil(name)
    }
}
