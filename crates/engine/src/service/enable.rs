//! Whether a service comes up at boot.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::name::Target;

impl Engine {
    /// Lets a service come up at boot; with `now` it is started too.
    ///
    /// # Errors
    /// `NotFound`; with `now` those of a start.
    pub fn service_enable(&self, target: &Target, now: bool) -> Result<View> {
        self.at_boot(target, true, now.then_some(JobKind::Start))
    }

    /// Lets it come up at boot no more; with `now` it is stopped too.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_disable(&self, target: &Target, now: bool) -> Result<View> {
        self.at_boot(target, false, now.then_some(JobKind::Stop))
    }

    fn at_boot(&self, target: &Target, enabled: bool, job: Option<JobKind>) -> Result<View> {
        self.require_units()?;
        let _lock = self.lock_service(target)?;
        let unit = self.service_unit(target)?;
        let done = match enabled {
            true => self.systemd().enable(&[&unit], Lifetime::Persistent),
            false => self.systemd().disable(&[&unit], Lifetime::Persistent),
        };
        done.map_err(|e| Error::from(e).about(&unit))?;
        self.reload_units()?;
        if let Some(job) = job {
            self.plain_job(job, &unit)?;
        }
        self.service_status(target)
    }
}
