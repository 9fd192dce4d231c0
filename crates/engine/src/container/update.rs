//! Changing a container's limits and restart policy, at once where it runs.

use super::create::{refuse_rate_of_host, refuse_restart_of_removed};
use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::limits::{Limits, LimitsChange};
use volt_model::name::Name;
use volt_model::restart::Restart;

/// What to change.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Limits to change or to take away; the others stay.
    pub limits: LimitsChange,
    /// The restart policy.
    pub restart: Option<Restart>,
}

impl Engine {
    /// Changes a container.
    ///
    /// # Errors
    /// `NotFound`, `Usage` for limits that leave nothing to run in. Then all is as it was.
    pub fn container_update(&self, name: &Name, update: &Update) -> Result<super::View> {
        let _lock = self.lock_name(name)?;
        let old = self.spec(name)?;
        let mut spec = old.clone();
        spec.limits = spec.limits.updated(&update.limits);
        spec.restart = update.restart.unwrap_or(spec.restart);
        spec.limits.validate().map_err(|e| {
            Error::new(ErrorKind::Usage, format!("The limits of {name} can't be so"))
                .about(name)
                .because(e)
        })?;
        refuse_restart_of_removed(&spec)?;
        refuse_rate_of_host(&spec)?;
        self.backend_of(&spec).check(self, &spec)?;
        if spec.limits != old.limits {
            super::disks::name_disks(&mut spec.limits)?;
        }
        if spec != old {
            self.change(&old, &spec)?;
            self.tell_state(&spec)?;
        }
        self.view(&spec)
    }

    /// Makes of a container as `old` has it one as `new` has it: on disk first, then for systemd, then where it runs. Where that fails
    /// it is again as `old` has it.
    fn change(&self, old: &Spec, new: &Spec) -> Result<()> {
        let at_boot = self.starts_at_boot(&old.name);
        let before = Box::new(old.limits.clone());
        self.intend(&Intent::Update { name: old.name.clone(), before })?;
        let changed = self.save_spec(new).and_then(|()| self.finish_update(&old.name, &old.limits));
        let Err(error) = changed else { return self.fulfil(&old.name) };
        if let Err(undo) = self.change_back(old, &new.limits, at_boot) {
            // The intent stays, for whoever comes next.
            tracing::error!(name = %old.name, error = %undo.chain().join(": "), "a change that failed could not be undone");
        }
        Err(error)
    }

    fn change_back(&self, old: &Spec, tried: &Limits, at_boot: bool) -> Result<()> {
        // On a full disk the record can't be written, and need not be: it is the old one still.
        if self.spec(&old.name)? != *old {
            self.save_spec(old)?;
        }
        self.finish_update(&old.name, tried)?;
        if at_boot {
            self.start_at_boot(&old.name, true)?;
        }
        self.fulfil(&old.name)
    }

    /// Brings systemd, and a container that runs, up to what the record says. The name's lock must be held; may be called again after
    /// a crash.
    pub(crate) fn finish_update(&self, name: &Name, before: &Limits) -> Result<()> {
        let Ok(spec) = self.spec(name) else { return Ok(()) };
        let backend = self.backend_of(&spec);
        backend.install(self, &spec)?;
        let alive = backend.state(self, &spec)?.state.is_alive();
        if spec.backend.is_systemds() {
            self.start_at_boot(name, spec.restart.at_boot() && alive)?;
        }
        if alive { backend.apply_limits(self, &spec, before) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::system::tests::{engine, spec, write_record};
    use volt_model::size::Bytes;

    #[test]
    fn a_change_that_fails_leaves_all_as_it_was() {
        let (_dir, engine) = engine();
        let old = spec("web");
        write_record(&engine, &old);
        engine.write_units(&old).unwrap();
        let mut new = old.clone();
        new.limits.memory = Some(Bytes(512 << 20));
        // The link for the boot can't be looked after, which comes behind the record and the unit.
        std::fs::write(engine.paths().units.join("multi-user.target.wants"), "").unwrap();
        engine.change(&old, &new).unwrap_err();
        assert_eq!(engine.spec(&old.name).unwrap(), old);
        assert!(!engine.write_units(&old).unwrap(), "the drop-in is the old one");
    }
}
