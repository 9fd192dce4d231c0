//! Restarting a workload.

use super::{Kind, View};
use crate::Engine;
use crate::error::Result;
use volt_host::systemd::JobKind;
use volt_model::name::Target;

impl Engine {
    /// Stops a workload, or a unit of the host, and starts it again.
    ///
    /// # Errors
    /// As [`Engine::container_restart`]; `NotFound` for a unit that isn't.
    pub fn workload_restart(&self, target: &Target) -> Result<View> {
        match target {
            Target::Workload(name) => Ok(match self.kind_of(name) {
                Kind::Container => self.container_restart(name, None)?.into(),
                Kind::Service => self.service_restart(target)?.into(),
                Kind::Task => {
                    drop(self.task_stop(name)?);
                    self.task_start(name)?.into()
                }
            }),
            Target::Unit(unit) => self.unit_job(JobKind::Restart, unit),
        }
    }
}
