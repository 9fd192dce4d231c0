//! Holding a workload still.

use super::{Kind, View};
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
        if self.kind_of(name) != Kind::Container {
            return self.still_unit(name, Verb::Freeze);
        }
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

    /// Freezes or thaws a service, or the run of a task that is under way.
    pub(super) fn still_unit(&self, name: &Name, verb: Verb) -> Result<View> {
        let _lock = self.lock_name(name)?;
        let target = Target::Workload(name.clone());
        let kind = self.kind_of(name);
        let view: View = match kind {
            Kind::Task => self.task_inspect(name)?.into(),
            _ => self.service_status(&target)?.into(),
        };
        let freeze = verb == Verb::Freeze;
        let done = if freeze { State::Frozen } else { State::Running };
        if view.state == done {
            return Ok(view);
        }
        refuse_of(view.kind, name, view.state, verb)?;
        let unit = view.unit.clone().unwrap_or_default();
        match (kind, freeze) {
            (Kind::Task, _) => self.freeze_task(name, freeze)?,
            (_, true) => self.systemd().freeze(&unit).map_err(|e| Error::from(e).about(name))?,
            (_, false) => self.systemd().thaw(&unit).map_err(|e| Error::from(e).about(name))?,
        }
        Ok(View { state: done, ..view })
    }
}

/// Refuses `verb` where `state` doesn't allow it.
pub(super) fn refuse(name: &Name, state: State, verb: Verb) -> Result<()> {
    refuse_of("container", name, state, verb)
}

fn refuse_of(kind: &str, name: &Name, state: State, verb: Verb) -> Result<()> {
    if state.allows(verb) {
        return Ok(());
    }
    let hint = match verb {
        Verb::Thaw => format!("Only what is frozen can be thawed: volt workload freeze {name}"),
        _ => format!(
            "Start it first: volt {kind} {} {name}",
            if kind == "task" { "run" } else { "start" }
        ),
    };
    Err(Error::new(ErrorKind::Conflict, format!("The {kind} {name} is {state}"))
        .about(name)
        .hinted(hint))
}
