//! Stopping and restarting a container: systemd jobs, like those of `systemctl`.

use crate::Engine;
use crate::error::Result;
use std::time::Duration;
use volt_host::files::Lock;
use volt_model::container::{Network, Spec};
use volt_model::name::Name;
use volt_model::restart::Restart;
use volt_model::state::State;

impl Engine {
    /// Stops a container: its signal, and after its time-out (or `timeout`) the kill. One that doesn't run is left alone.
    ///
    /// # Errors
    /// `NotFound`, `Timeout` when even the kill doesn't end it.
    pub fn container_stop(&self, name: &Name, timeout: Option<Duration>) -> Result<super::View> {
        let (_lock, spec) = self.bring_down(name, timeout)?;
        if self.container_exists(name) {
            return self.view(&spec);
        }
        Ok(super::View::gone(&spec))
    }

    /// The same, without looking at it afterwards; its name is locked.
    pub(crate) fn bring_down(
        &self,
        name: &Name,
        timeout: Option<Duration>,
    ) -> Result<(Lock, Spec)> {
        let lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        self.bring_down_held(&spec, timeout)?;
        Ok((lock, spec))
    }

    /// The same for whoever holds the name's lock.
    pub(crate) fn bring_down_held(&self, spec: &Spec, timeout: Option<Duration>) -> Result<()> {
        let backend = self.backend_of(spec);
        if backend.state(self, spec)?.state == State::Frozen {
            // What is frozen can't heed a signal.
            backend.thaw(self, spec)?;
        }
        // With `always` a container comes up at the next boot although it was stopped by hand.
        if spec.restart != Restart::Always && spec.backend.is_systemds() {
            self.start_at_boot(&spec.name, false)?;
        }
        backend.stop(self, spec, timeout)
    }

    /// Stops a container and starts it again; one that doesn't run is started.
    ///
    /// # Errors
    /// As [`Engine::container_stop`] and [`Engine::container_start`].
    pub fn container_restart(&self, name: &Name, timeout: Option<Duration>) -> Result<super::View> {
        // They go down with the network that they share.
        let sharing = self.running_in_network_of(name)?;
        let view = self.restart_alone(name, timeout)?;
        for other in sharing {
            self.container_start(&other)?;
        }
        Ok(view)
    }

    /// The containers that run in the network of this one.
    pub(crate) fn running_in_network_of(&self, name: &Name) -> Result<Vec<Name>> {
        let shares =
            |spec: &Spec| matches!(&spec.network, Network::Container(other) if other == name);
        let all: Vec<Spec> = self.specs()?.into_iter().filter(shares).collect();
        let states = self.run_states(&all)?;
        let runs = |spec: &Spec| states.get(&spec.name).is_some_and(|run| run.state.is_alive());
        Ok(all.into_iter().filter(runs).map(|spec| spec.name).collect())
    }

    fn restart_alone(&self, name: &Name, timeout: Option<Duration>) -> Result<super::View> {
        let _lock = self.lock_name(name)?;
        let spec = self.spec(name)?;
        let backend = self.backend_of(&spec);
        let state = backend.state(self, &spec)?.state;
        if state == State::Frozen {
            backend.thaw(self, &spec)?;
        }
        if state.is_alive() {
            let _kept = self.keep(&spec)?;
            backend.stop(self, &spec, timeout)?;
            // Its removal may have begun before it was kept.
            self.spec(name)?;
        }
        backend.check(self, &spec)?;
        self.ready_to_start(&spec)?;
        backend.start(self, &spec)?;
        self.view(&spec)
    }
}
