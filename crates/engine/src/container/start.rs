//! Starting a container: what it needs is prepared, then one systemd job.

use crate::Engine;
use crate::error::{Error, Result};
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::{State, Verb};

impl Engine {
    /// Starts a container and returns when its command runs. One that runs already is left alone.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that is frozen, `General` with its last words for one that does not come up.
    pub fn container_start(&self, name: &Name) -> Result<super::View> {
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let backend = self.backend_of(&spec);
        match self.settled_state(&spec)? {
            State::Running => return self.view(&spec),
            // The job under way is joined.
            State::Starting => {}
            state => refuse(name, state, Verb::Start)?,
        }
        backend.check(self, &spec)?;
        self.check_binds(&spec)?;
        self.ready_to_start(&spec)?;
        backend.start(self, &spec)?;
        self.view(&spec)
    }

    /// The state in which a start, a removal or a new name finds a container: one that is on its way down is waited for.
    pub(crate) fn settled_state(&self, spec: &Spec) -> Result<State> {
        let backend = self.backend_of(spec);
        let state = backend.state(self, spec)?.state;
        if state != State::Stopping {
            return Ok(state);
        }
        backend.wait_until_down(self, spec)?;
        // It may have removed itself.
        self.spec(&spec.name)?;
        Ok(backend.state(self, spec)?.state)
    }

    /// Brings the unit files up to what the spec says, and remembers that the container is to come up at boot.
    pub(super) fn ready_to_start(&self, spec: &Spec) -> Result<()> {
        let backend = self.backend_of(spec);
        backend.install(self, spec)?;
        if spec.restart.at_boot() && spec.backend.is_systemds() {
            self.start_at_boot(&spec.name, true)?;
        }
        Ok(())
    }
}

/// Refuses `verb` where `state` doesn't allow it.
pub(crate) fn refuse(name: &Name, state: State, verb: Verb) -> Result<()> {
    if state.allows(verb) {
        return Ok(());
    }
    let hint = match (verb, state) {
        (_, State::Frozen) => format!("Thaw it first: volt workload thaw {name}"),
        (Verb::Delete | Verb::Rename | Verb::Restore, _) => {
            format!("Stop it first: volt container stop {name}")
        }
        (Verb::Start, _) => "Wait until it is down".to_owned(),
        _ => format!("Start it first: volt container start {name}"),
    };
    Err(Error::new(ErrorKind::Conflict, format!("The container {name} is {state}"))
        .about(name)
        .hinted(hint))
}
