//! Starting a workload.

use super::{Kind, View};
use crate::Engine;
use crate::error::Result;
use volt_host::systemd::JobKind;
use volt_model::name::Target;

impl Engine {
    /// Starts a workload, or a unit of the host.
    ///
    /// # Errors
    /// As [`Engine::container_start`]; `NotFound` for a unit that isn't.
    pub fn workload_start(&self, target: &Target) -> Result<View> {
        match target {
            Target::Workload(name) => Ok(match self.kind_of(name) {
                Kind::Container => self.container_start(name)?.into(),
                Kind::Service => self.service_start(target)?.into(),
                Kind::Task => self.task_start(name)?.into(),
            }),
            Target::Unit(unit) => self.unit_job(JobKind::Start, unit),
        }
    }
}
