//! Stopping a workload.

use super::{Kind, View};
use crate::Engine;
use crate::error::Result;
use volt_host::systemd::JobKind;
use volt_model::name::Target;

impl Engine {
    /// Stops a workload, or a unit of the host.
    ///
    /// # Errors
    /// As [`Engine::container_stop`]; `NotFound` for a unit that isn't.
    pub fn workload_stop(&self, target: &Target) -> Result<View> {
        match target {
            Target::Workload(name) => Ok(match self.kind_of(name) {
                Kind::Container => self.container_stop(name, None)?.into(),
                Kind::Service => self.service_stop(target)?.into(),
                Kind::Task => self.task_stop(name)?.into(),
            }),
            Target::Unit(unit) => self.unit_job(JobKind::Stop, unit),
        }
    }
}
