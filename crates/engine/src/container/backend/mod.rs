//! What runs containers. A further backend is its name in the model, a folder here and a line in [`of`].

mod proot;
mod systemd;

pub(crate) use systemd::last_lines;

use crate::Engine;
use crate::error::Result;
use crate::workload::{Listener, Query, Usage};
use jiff::Timestamp;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;
use volt_host::systemd::UnitWatch;
use volt_model::container::{self, Exit, Network, Spec};
use volt_model::limits::Limits;
use volt_model::name::Name;
use volt_model::state::State;

/// What is known of a container at this moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RunState {
    /// In plain words.
    pub(crate) state: State,
    /// Its first process, on the host.
    pub(crate) pid: Option<u32>,
    /// When it last began to run.
    pub(crate) started: Option<Timestamp>,
    /// How often it was started again since it was last started by hand.
    pub(crate) restarts: u32,
}

impl RunState {
    /// One that doesn't run and never did.
    pub(crate) fn stopped() -> Self {
        Self { state: State::Stopped, pid: None, started: None, restarts: 0 }
    }
}

/// What runs containers. All calls are made with the name locked, but for those that only look.
pub(crate) trait Backend: Sync {
    /// Whether a container is its own where nobody asked for another.
    fn is_meant(&self, engine: &Engine) -> bool;

    /// Whether this host has what it needs.
    fn is_usable(&self, engine: &Engine) -> bool;

    /// Refuses what it can't do, with the reason.
    fn check(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Whether its containers have user ids of their own.
    fn maps_ids(&self) -> bool;

    /// Whether their roots are a layer to write to over the image's tree, and not a copy.
    fn has_layer(&self) -> bool;

    /// Whether an image's own init can run in one.
    fn can_boot(&self) -> bool {
        false
    }

    /// The only network its containers can have.
    fn only_network(&self) -> Option<Network> {
        None
    }

    /// The unit that a container is, where it is one.
    fn unit(&self, _name: &Name) -> Option<String> {
        None
    }

    /// Whether what is left of a run that was killed goes at the next start, and is no fault until then.
    fn clears_at_start(&self) -> bool {
        false
    }

    /// What is wrong with what [`Self::install`] made, and would be mended by it.
    fn finding(&self, _engine: &Engine, _spec: &Spec) -> Option<(PathBuf, &'static str)> {
        None
    }

    /// Whether a run that ended so has failed, as `SuccessExitStatus=` of a unit has it.
    fn is_failure(&self, spec: &Spec, exit: &Exit) -> bool {
        ![0, 143, 128 + i32::from(spec.stop_signal)].contains(&exit.code)
    }

    /// News of a container's state, where something tells of it.
    fn watch(&self, _engine: &Engine, _spec: &Spec) -> Option<UnitWatch> {
        None
    }

    /// Makes what the container needs to be startable; may be called again after a change.
    fn install(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Takes that away; may be called again, and for what was only half there.
    fn uninstall(&self, engine: &Engine, name: &Name) -> Result<()>;

    /// The state of one.
    fn state(&self, engine: &Engine, spec: &Spec) -> Result<RunState>;

    /// The states of those of all that are its own and not simply stopped.
    fn states(&self, engine: &Engine, specs: &[Spec]) -> Result<HashMap<Name, RunState>>;

    /// Starts it and returns when its command runs.
    fn start(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Stops it: its signal, and after `timeout` the kill. Returns when nothing of it is left.
    fn stop(&self, engine: &Engine, spec: &Spec, timeout: Option<Duration>) -> Result<()>;

    /// Waits for one that is on its way down.
    fn wait_until_down(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Sends a signal to its command.
    fn kill(&self, engine: &Engine, spec: &Spec, signal: u8) -> Result<()>;

    /// Holds all its processes still.
    fn freeze(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Lets them go on.
    fn thaw(&self, engine: &Engine, spec: &Spec) -> Result<()>;

    /// Runs a command in it; the stream speaks frames.
    fn exec(&self, engine: &Engine, spec: &Spec, exec: &super::Exec) -> Result<UnixStream>;

    /// Reads its log.
    fn logs(
        &self,
        engine: &Engine,
        spec: &Spec,
        query: &Query,
        to: &mut Listener<'_>,
    ) -> Result<()>;

    /// What it uses at this moment.
    fn usage(&self, engine: &Engine, spec: &Spec) -> Usage;

    /// Applies its limits to a running one that had those of `before`.
    fn apply_limits(&self, engine: &Engine, spec: &Spec, before: &Limits) -> Result<()>;
}

/// The backend of that kind.
pub(crate) fn of(kind: container::Backend) -> &'static dyn Backend {
    match kind {
        container::Backend::Systemd => &systemd::Systemd { by_proot: false },
        container::Backend::ProotUnit => &systemd::Systemd { by_proot: true },
        container::Backend::Proot => &proot::Proot,
    }
}

impl Engine {
    /// How long a stop may take, where its relay, which keeps the time, is told.
    fn stop_patience(&self, spec: &Spec, timeout: Option<Duration>) -> Result<Duration> {
        let patience = timeout.unwrap_or(Duration::from_secs(u64::from(spec.stop_timeout)));
        let run = self.paths().container_run(&spec.name);
        if timeout.is_some() && run.exists() {
            let seconds = patience.as_secs().to_string();
            volt_host::files::write_volatile(&run.join("stop-timeout"), seconds.as_bytes(), 0o644)?;
        }
        Ok(patience)
    }

    /// The backend of a container.
    pub(crate) fn backend_of(&self, spec: &Spec) -> &'static dyn Backend {
        of(spec.backend)
    }

    /// The state of a container.
    pub(crate) fn run_state(&self, spec: &Spec) -> Result<RunState> {
        of(spec.backend).state(self, spec)
    }

    /// The states of many, asked for at once.
    pub(crate) fn run_states(&self, specs: &[Spec]) -> Result<HashMap<Name, RunState>> {
        let mut all = HashMap::new();
        for kind in container::Backend::ALL {
            if specs.iter().any(|spec| spec.backend.is_systemds() == kind.is_systemds()) {
                all.extend(of(kind).states(self, specs)?);
            }
        }
        Ok(all)
    }
}
