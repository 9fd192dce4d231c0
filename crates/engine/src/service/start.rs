//! Starting and restarting services.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::plain::{group_of, is_frozen};
use volt_host::systemd::JobKind;
use volt_model::kind::ErrorKind;
use volt_model::name::Target;

impl Engine {
    /// Starts a service and returns when its command runs. One that runs already is left alone.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that is frozen, `General` with its last words for one that does not come up.
    pub fn service_start(&self, target: &Target) -> Result<View> {
        let _lock = self.lock_service(target)?;
        let unit = self.service_unit(target)?;
        if is_frozen(&group_of(&unit)) {
            return Err(Error::new(ErrorKind::Conflict, format!("The service {target} is frozen"))
                .about(target)
                .hinted(format!("Thaw it first: volt workload thaw {target}")));
        }
        self.plain_job(JobKind::Start, &unit)?;
        self.service_status(target)
    }

    /// Stops a service and starts it again; one that doesn't run is started.
    ///
    /// # Errors
    /// As [`Engine::service_start`].
    pub fn service_restart(&self, target: &Target) -> Result<View> {
        let _lock = self.lock_service(target)?;
        let unit = self.service_unit(target)?;
        self.thaw_unit(&unit);
        self.plain_job(JobKind::Restart, &unit)?;
        self.service_status(target)
    }

    /// Lets a unit go on that is to be stopped: what is frozen can't heed a signal.
    pub(crate) fn thaw_unit(&self, unit: &str) {
        if is_frozen(&group_of(unit)) {
            drop(self.systemd().thaw(unit));
        }
    }
}
