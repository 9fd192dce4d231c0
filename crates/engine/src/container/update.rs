//! Changing a container's limits and restart policy, at once where it runs.

use crate::Engine;
use crate::error::{Error, Result};
use volt_model::kind::ErrorKind;
use volt_model::limits::Limits;
use volt_model::name::Name;
use volt_model::restart::Restart;

/// What to change.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Limits to change; the others stay.
    pub limits: Limits,
    /// The restart policy.
    pub restart: Option<Restart>,
}

impl Engine {
    /// Changes a container.
    ///
    /// # Errors
    /// `NotFound`, `Usage` for limits that leave nothing to run in.
    pub fn container_update(&self, name: &Name, update: &Update) -> Result<super::View> {
        let _lock = self.lock_name(name)?;
        let mut spec = self.spec(name)?;
        let old = spec.clone();
        spec.limits = spec.limits.updated(&update.limits);
        spec.restart = update.restart.unwrap_or(spec.restart);
        spec.limits.validate().map_err(|e| {
            Error::new(ErrorKind::Usage, format!("The limits of {name} can't be so"))
                .about(name)
                .because(e)
        })?;
        let backend = self.backend_of(&spec);
        backend.check(self, &spec)?;
        self.save_spec(&spec)?;
        backend.install(self, &spec)?;
        let alive = backend.state(self, &spec)?.state.is_alive();
        if backend.maps_ids() {
            if !alive {
                // A start that was killed may have prepared what is no longer so.
                self.clear_run(&spec)?;
            }
            self.start_at_boot(name, spec.restart.at_boot() && alive)?;
        }
        if alive && spec != old {
            backend.apply_limits(self, &spec)?;
        }
        self.view(&spec)
    }
}
