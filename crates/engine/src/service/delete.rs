//! Removing a service of Volt's, with its unit and the folders that systemd made for it.

use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use crate::plain::Written;
use volt_host::files;
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::service::unit;

impl Engine {
    /// Removes a service; `force` stops it first, and removes one whose record can't be read too.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that runs.
    pub fn service_delete(&self, name: &Name, force: bool) -> Result<()> {
        self.remove_service(name, force, Written::Removed)
    }

    /// The same, where it may be that what it wrote stays.
    pub(crate) fn remove_service(&self, name: &Name, force: bool, written: Written) -> Result<()> {
        self.require_units()?;
        let _lock = self.lock_name(name)?;
        match self.service_spec(name) {
            Err(error) if force && error.kind == ErrorKind::InvalidConfig => {}
            read => drop(read?),
        }
        let unit = unit::name(name);
        let up = self.systemd().unit_status(&unit)?.active.is_up();
        if up && !force {
            return Err(Error::new(ErrorKind::Conflict, format!("The service {name} runs"))
                .about(name)
                .hinted(format!("Stop it first: volt service stop {name}")));
        }
        if up {
            self.plain_job(JobKind::Stop, &unit)?;
        }
        drop(self.systemd().reset_failed(&unit));
        if written == Written::Removed {
            self.clean_unit(&unit);
        }
        self.intend(&Intent::Units { name: name.clone() })?;
        // It may be wanted by a target that Volt doesn't know of.
        drop(self.systemd().disable(&[&unit], Lifetime::Persistent));
        self.forget_service_end(name)?;
        files::remove_tree(&self.paths().service(name))?;
        self.forget_health(name)?;
        self.settle_units(name)?;
        self.fulfil(name)
    }
}
