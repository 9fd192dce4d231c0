//! Containers without root and without systemd: proot, under a small supervisor for each that outlives the command.
//!
//! The supervisor is a shell that runs the relay (which runs proot, keeps the log and serves attach), then records how it ended
//! and clears up, with the same helpers that a unit would call. proot translates paths by ptrace: it is no jail, is slow, and
//! has no namespaces or cgroups. What it can't do is refused (`refuse`). In it runs the init that a container of units has, which starts
//! the command, tells the relay how it ended, and ends what is left of it.
//!
//! - `root`: its root, a copy of the image's tree, because proot can't lay a writable layer over it
//! - `launch`: the supervisor and what it runs
//! - `processes`: finding, signalling and stopping all that belongs to a container

mod launch;
mod processes;
pub(super) mod refuse;
mod root;

use super::{Backend, RunState};
use crate::Engine;
use crate::container::Exec;
use crate::error::{Error, Result};
use crate::system::can::program;
use crate::workload::{Listener, Query, Usage, log_file, usage_of_tree};
use jiff::Timestamp;
use processes::Processes;
use std::cell::Cell;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use volt_host::files;
use volt_model::container::{self, Network, Spec};
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;
use volt_model::limits::Limits;
use volt_model::name::Name;
use volt_model::state::State;

/// How long a start may take: a copy is made before it.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long the end may take once all has been killed.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long proot may take to end by itself once it has nothing to trace.
const IDLE_LIMIT: Duration = Duration::from_secs(1);
/// How long holding and letting go may take to show.
const HOLD_LIMIT: Duration = Duration::from_secs(2);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(5);

/// The backend.
pub(super) struct Proot;

impl Backend for Proot {
    fn is_meant(&self, _engine: &Engine) -> bool {
        true
    }

    fn is_usable(&self, _engine: &Engine) -> bool {
        program("proot").is_some()
    }

    fn check(&self, _engine: &Engine, spec: &Spec) -> Result<()> {
        refuse::what_it_can_not_do(spec)?;
        refuse::what_takes_a_unit(spec)?;
        found().map(drop)
    }

    fn maps_ids(&self) -> bool {
        false
    }

    fn has_layer(&self) -> bool {
        false
    }

    fn only_network(&self) -> Option<Network> {
        Some(Network::Host)
    }

    fn clears_at_start(&self) -> bool {
        true
    }

    fn install(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        root::make(engine, spec)
    }

    fn uninstall(&self, engine: &Engine, name: &Name) -> Result<()> {
        // Only this backend has a supervisor; what runs under another is none of its business.
        if !engine.paths().container(name).join(launch::SUPERVISOR).exists() {
            return Ok(());
        }
        end(engine, name)?;
        Ok(files::remove_tree(&engine.paths().container_run(name))?)
    }

    fn state(&self, engine: &Engine, spec: &Spec) -> Result<RunState> {
        let name = &spec.name;
        let run = engine.paths().container_run(name);
        // The folder of the run is the first thing a supervisor has and the last that it takes away.
        let supervised = is_supervised(engine, name) && run.exists();
        let leader = engine.leader(name);
        let ended = ["exit", "failure"].iter().any(|file| run.join(file).exists());
        let state = match (leader, supervised) {
            (Some(leader), _) if is_held(leader) => State::Frozen,
            (Some(_), _) => State::Running,
            // It had one.
            (None, true) if ended || run.join("leader").exists() => State::Stopping,
            (None, true) => State::Starting,
            (None, false) => {
                if ended || engine.is_told_alive(name) {
                    // Its supervisor was killed before it could say so.
                    recover_end(engine, name);
                }
                let failed =
                    engine.last_exit(name).is_some_and(|exit| self.is_failure(spec, &exit));
                if failed { State::Failed } else { State::Stopped }
            }
        };
        let pid = leader.map(|leader| launch::command(leader).unwrap_or(leader));
        let started = leader.and_then(|_| engine.started_at(name));
        Ok(RunState { state, pid, started, restarts: 0 })
    }

    fn states(&self, engine: &Engine, specs: &[Spec]) -> Result<HashMap<Name, RunState>> {
        let mut all = HashMap::new();
        for spec in specs.iter().filter(|spec| spec.backend == container::Backend::Proot) {
            let run = self.state(engine, spec)?;
            if run.state != State::Stopped {
                all.insert(spec.name.clone(), run);
            }
        }
        Ok(all)
    }

    fn start(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        let begun = Timestamp::now();
        // The last run may still be clearing up.
        wait_for(END_LIMIT, || !is_supervised(engine, &spec.name));
        launch::supervise(engine, spec)?;
        let deadline = Instant::now() + START_LIMIT;
        while engine.leader(&spec.name).is_none() {
            if !is_supervised(engine, &spec.name) {
                return launch::explain_end(engine, spec, begun);
            }
            if Instant::now() > deadline {
                end(engine, &spec.name)?;
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("The container {} did not start in time", spec.name),
                )
                .about(&spec.name));
            }
            std::thread::sleep(LOOK);
        }
        // Its supervisor is a shell, which tells nobody.
        engine.tell_state(spec)
    }

    fn stop(&self, engine: &Engine, spec: &Spec, timeout: Option<Duration>) -> Result<()> {
        let patience = engine.stop_patience(spec, timeout)?;
        each_tree(engine, &spec.name, Processes::let_go);
        launch::ask_to_end(engine, &spec.name);
        // The relay keeps the time, and kills.
        let idle = Cell::new(Instant::now());
        wait_for(patience + END_LIMIT, || {
            if engine.leader(&spec.name).is_some() {
                idle.set(Instant::now());
            }
            !is_supervised(engine, &spec.name) || idle.get().elapsed() > IDLE_LIMIT
        });
        end(engine, &spec.name)
    }

    fn wait_until_down(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        end(engine, &spec.name)
    }

    fn kill(&self, engine: &Engine, spec: &Spec, signal: u8) -> Result<()> {
        if engine.leader(&spec.name).is_none() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The container {} has no process", spec.name),
            )
            .about(&spec.name));
        }
        if signal == 9 {
            return end(engine, &spec.name);
        }
        // The relay passes it to the command.
        engine.send_frame(&spec.name, &Frame::Signal(signal))
    }

    fn freeze(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        each_tree(engine, &spec.name, Processes::hold);
        // A signal takes a moment to be heeded.
        wait_for(HOLD_LIMIT, || engine.leader(&spec.name).is_none_or(is_held));
        Ok(())
    }

    fn thaw(&self, engine: &Engine, spec: &Spec) -> Result<()> {
        each_tree(engine, &spec.name, Processes::let_go);
        wait_for(HOLD_LIMIT, || !engine.leader(&spec.name).is_some_and(is_held));
        Ok(())
    }

    fn exec(&self, engine: &Engine, spec: &Spec, exec: &Exec) -> Result<UnixStream> {
        launch::exec(engine, spec, exec)
    }

    fn usage(&self, engine: &Engine, spec: &Spec) -> Usage {
        engine.leader(&spec.name).map(usage_of_tree).unwrap_or_default()
    }

    fn logs(
        &self,
        engine: &Engine,
        spec: &Spec,
        query: &Query,
        to: &mut Listener<'_>,
    ) -> Result<()> {
        let path = launch::log(engine, &spec.name);
        let alive = || self.state(engine, spec).is_ok_and(|run| run.state.is_alive());
        log_file::read(&path, spec.name.as_str(), query, to, &alive)
    }

    fn apply_limits(&self, _engine: &Engine, spec: &Spec, _before: &Limits) -> Result<()> {
        refuse::what_takes_a_unit(spec)
    }
}

/// Where proot is.
pub(super) fn found() -> Result<PathBuf> {
    program("proot").ok_or_else(missing)
}

/// Whether the proot at this place can be run.
pub(super) fn is_there(path: &Path) -> Result<()> {
    if path.is_file() { Ok(()) } else { Err(missing()) }
}

fn missing() -> Error {
    Error::new(ErrorKind::Dependency, "The program proot is not installed")
        .hinted("Install it: apt install proot")
}

fn is_supervised(engine: &Engine, name: &Name) -> bool {
    launch::supervisor(&engine.paths().container(name)).is_some()
}

impl Engine {
    /// Winds up a run whose supervisor has seen its end. What was executed beside it ends with it.
    ///
    /// # Errors
    /// As [`Engine::run_ended`].
    pub fn supervised_run_ended(&self, name: &Name) -> Result<()> {
        kill_until(self, name, || launch::trees(self, name).is_empty());
        self.run_ended(name, "").and_then(|()| self.release(name))
    }
}

/// Kills all of a container and of what was executed in it, and waits until it has been cleared up.
fn end(engine: &Engine, name: &Name) -> Result<()> {
    let gone =
        kill_until(engine, name, || engine.leader(name).is_none() && !is_supervised(engine, name));
    if gone {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Timeout,
        format!("The container {name} does not end although it was killed"),
    )
    .about(name))
}

fn kill_until(engine: &Engine, name: &Name, done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    wait_for(END_LIMIT, || {
        each_tree(engine, name, Processes::kill);
        if begun.elapsed() > IDLE_LIMIT {
            each_tree(engine, name, Processes::kill_idle);
        }
        done()
    })
}

/// Does something with the processes of the container and of all that was executed in it.
fn each_tree(engine: &Engine, name: &Name, act: fn(&Processes)) {
    launch::trees(engine, name).iter().for_each(act);
}

fn is_held(leader: u32) -> bool {
    Processes::around(leader).is_some_and(|all| all.are_held())
}

/// Records the end of a run whose supervisor could not. Who only looks may not be able to, and need not.
fn recover_end(engine: &Engine, name: &Name) {
    let recorded = engine.run_ended(name, "").and_then(|()| engine.release(name));
    if let Err(error) = recorded {
        tracing::debug!(%name, error = %error.chain().join(": "), "the end of a run could not be recorded");
    }
}

/// Looks until it is so. False when it was not in this time.
fn wait_for(limit: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

#[cfg(test)]
mod tests;
