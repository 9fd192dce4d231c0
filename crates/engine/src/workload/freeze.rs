//! Holding a workload still.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};
use volt_model::state::{State, Verb};

impl Engine {
    /// Holds all processes of a workload, or of a unit of the host, still. One that is still already is left alone.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for one that doesn't run.
    pub fn workload_freeze(&self, target: &Target) -> Result<View> {
        let name = match target {
            Target::Workload(name) => name,
            Target::Unit(unit) => {
                drop(self.unit_status(unit)?);
                self.systemd().freeze(unit).map_err(|e| Error::from(e).about(unit))?;
                return self.unit_view(unit);
            }
        };
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let state = self.run_state(&spec)?.state;
        if state != State::Frozen {
            refuse(name, state, Verb::Freeze)?;
            self.backend_of(&spec).freeze(self, &spec)?;
            self.tell_state(&spec)?;
        }
        Ok(self.container_inspect(name)?.into())
    }
}

/// Refuses `verb` where `state` doesn't allow it.
pub(super) fn refuse(name: &Name, state: State, verb: Verb) -> Result<()> {
    if state.allows(verb) {
        return Ok(());
    }
    let hint = match verb {
        Verb::Thaw => format!("Only what is frozen can be thawed: volt workload freeze {name}"),
        _ => format!("Start it first: volt container start {name}"),
    };
    Err(Error::new(ErrorKind::Conflict, format!("The container {name} is {state}"))
        .about(name)
        .hinted(hint))
}
