//! Stopping services.

use super::View;
use crate::Engine;
use crate::error::Result;
use volt_host::systemd::JobKind;
use volt_model::name::Target;

impl Engine {
    /// Stops a service. One that doesn't run is left alone.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_stop(&self, target: &Target) -> Result<View> {
        let _lock = self.lock_service(target)?;
        let unit = self.service_unit(target)?;
        self.thaw_unit(&unit);
        self.plain_job(JobKind::Stop, &unit)?;
        self.service_status(target)
    }
}
