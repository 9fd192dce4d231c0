//! Letting a frozen workload go on.

use super::freeze::refuse;
use super::{Kind, View};
use crate::Engine;
use crate::error::{Error, Result};
use volt_model::name::Target;
use volt_model::state::{State, Verb};

impl Engine {
    /// Lets a frozen workload, or unit of the host, go on. One that runs is left alone.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for one that doesn't run.
    pub fn workload_thaw(&self, target: &Target) -> Result<View> {
        let name = match target {
            Target::Workload(name) => name,
            Target::Unit(unit) => {
                drop(self.unit_status(unit)?);
                self.systemd().thaw(unit).map_err(|e| Error::from(e).about(unit))?;
                return self.unit_view(unit);
            }
        };
        if self.kind_of(name) != Kind::Container {
            return self.still_unit(name, Verb::Thaw);
        }
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let state = self.run_state(&spec)?.state;
        if state != State::Running {
            refuse(name, state, Verb::Thaw)?;
            self.backend_of(&spec).thaw(self, &spec)?;
            self.tell_state(&spec)?;
        }
        Ok(self.container_inspect(name)?.into())
    }
}
