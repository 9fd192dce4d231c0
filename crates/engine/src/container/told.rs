//! `containers/NAME/state.json`: how a container stands, for people and programs that read files.
//!
//! A copy of the truth, which systemd and the records of a run have; nothing is decided by it. It is written, whole, where that changes:
//! when the command runs and when it has ended, by whoever holds the run or winds it up; by freeze and thaw; and at boot
//! (`volt-boot.service`), for runs whose end nobody saw. What passes (`starting`, `stopping`) is not told.

use super::RunState;
use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::container::{Exit, Spec};
use volt_model::name::Name;
use volt_model::state::State;

/// What the file is called in a container's folder.
const FILE: &str = "state.json";
/// The most it may hold, in bytes.
const MAX: usize = 1 << 16;
/// How a run ended that went down with the host.
const HOST_WENT_DOWN: &str = "killed: the host went down";

/// What stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Told {
    /// `running`, `frozen`, `stopped` or `failed`.
    state: String,
    /// The first process, on the host; of one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// When the last run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Timestamp>,
    /// When it ended, and the rest: of one that has run and doesn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    /// The command's exit code, 128+n when signal n ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// Why, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Told {
    fn is_alive(&self) -> bool {
        [State::Running, State::Frozen].iter().any(|state| state.word() == self.state)
    }
}

/// Writes into the folder of a container that is being made that it has never run.
pub(super) fn tell_new(dir: &Path) -> Result<()> {
    let told = Told { state: State::Stopped.word().to_owned(), ..Told::default() };
    Ok(write(&dir.join(FILE), &told)?)
}

impl Engine {
    /// Tells that the run of `name` that this process holds has its command executed, with `pid` as its first process.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn run_is_up(&self, name: &Name, pid: u32) -> Result<()> {
        self.tell_alive(name, State::Running, Some(pid), self.started_at(name))
    }

    /// Tells how a container stands. One that is on its way up or down is left to whoever brings it there.
    pub(crate) fn tell_state(&self, spec: &Spec) -> Result<()> {
        let RunState { state, pid, started, .. } = self.run_state(spec)?;
        // Whoever winds up a run does that under it, and has the last word.
        let _root = self.lock_root(&spec.name)?;
        match (state, self.leader(&spec.name)) {
            (State::Running | State::Frozen, Some(_)) => {
                self.tell_alive(&spec.name, state, pid, started)
            }
            (State::Stopped | State::Failed, None) => self.tell_down(&spec.name, state),
            _ => Ok(()),
        }
    }

    /// Tells how a run has ended.
    pub(super) fn tell_exit(&self, spec: &Spec, exit: &Exit) -> Result<()> {
        let failed = self.backend_of(spec).is_failure(spec, exit);
        let state = if failed { State::Failed } else { State::Stopped };
        self.tell(&spec.name, &down(state, self.told(&spec.name).started, Some(exit)))
    }

    /// Whether a container that does not run is still said to, because nobody saw the end of its run.
    pub(super) fn is_told_alive(&self, name: &Name) -> bool {
        self.told(name).is_alive()
    }

    /// To be called when the host has booted, before any container starts: what was up when the host went down is not.
    ///
    /// # Errors
    /// The first of them; the others are gone through all the same.
    pub fn booted(&self) -> Result<()> {
        let mut first = Ok(());
        for name in self.container_names()? {
            let done = self.correct_after_boot(&name);
            first = first.and(done.map_err(|error| error.about(&name)));
        }
        first
    }

    fn correct_after_boot(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_name(name)?;
        let Ok(spec) = self.spec(name) else { return Ok(()) };
        if self.run_state(&spec)?.state.is_alive() || self.open_run(name).is_some() {
            return Ok(());
        }
        if self.is_told_alive(name) {
            let (reason, finished) = (HOST_WENT_DOWN.to_owned(), Timestamp::now());
            self.save_exit(name, &Exit { code: 137, reason, finished })?;
        }
        // systemd has forgotten what failed before.
        self.tell_state(&spec)
    }

    fn tell_alive(
        &self,
        name: &Name,
        state: State,
        pid: Option<u32>,
        started: Option<Timestamp>,
    ) -> Result<()> {
        let state = state.word().to_owned();
        self.tell(name, &Told { state, pid, started, ..Told::default() })
    }

    fn tell_down(&self, name: &Name, state: State) -> Result<()> {
        self.tell(name, &down(state, self.told(name).started, self.last_exit(name).as_ref()))
    }

    fn tell(&self, name: &Name, told: &Told) -> Result<()> {
        Ok(self.reserve().or_give_up(|| write(&self.told_path(name), told))?)
    }

    /// What was told last.
    fn told(&self, name: &Name) -> Told {
        files::read_json(&self.told_path(name), MAX).unwrap_or_default()
    }

    fn told_path(&self, name: &Name) -> PathBuf {
        self.paths().container(name).join(FILE)
    }
}

fn down(state: State, started: Option<Timestamp>, exit: Option<&Exit>) -> Told {
    Told {
        state: state.word().to_owned(),
        pid: None,
        // A start that failed is none.
        started: started.filter(|_| exit.is_some_and(|exit| exit.start_failure().is_none())),
        ended: exit.map(|exit| exit.finished),
        exit_code: exit.map(|exit| exit.code),
        reason: exit.map(|exit| exit.reason.clone()),
    }
}

fn write(path: &Path, told: &Told) -> files::Result<()> {
    let text = format!("{:#}\n", serde_json::json!(told));
    files::write_volatile(path, text.as_bytes(), 0o644)
}
