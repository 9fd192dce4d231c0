//! Looking after one run of a workload: when to look, what follows, and what is written down.

use super::probe::{Found, look};
use super::{MAX, Subject, make_folder};
use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use volt_host::files;
use volt_host::reach::Place;
use volt_host::systemd::JobKind;
use volt_model::health::{Check, Entry, History, OnUnhealthy, State, Status, What};
use volt_model::name::Name;
use volt_model::state;

/// How often at the most it is written down that nothing has changed.
const SELDOM: Duration = Duration::from_secs(10);

/// A run of a workload, and how it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: Name,
    /// What tells the run from others.
    pub(super) run: String,
    pub(super) started: Timestamp,
    pub(super) check: Check,
    pub(super) place: Place,
}

/// What is known of it.
struct Known<'a> {
    engine: &'a Engine,
    target: &'a Target,
    state: State,
    past: History,
    /// What stands in the file of the state, and since when.
    written: Option<(State, Instant)>,
}

/// Looks after a run, until whoever called gives it up because it has ended.
pub(super) async fn look_after(engine: Engine, target: Target) {
    let mut known = Known::of(&engine, &target);
    known.write();
    loop {
        let remedy = known.state.remedy(&target.check);
        let due = known.state.due(&target.check);
        let next = remedy.map_or(due, |(_, when)| due.min(when));
        sleep_until(next, target.check.interval).await;
        if let Some((what, when)) = remedy
            && Timestamp::now() >= when
        {
            if known.remedy(what).await {
                // With the run it is over here too.
                return std::future::pending().await;
            }
            continue;
        }
        let found = look(&engine, &target.name, &target.check, &target.place).await;
        known.take(found).await;
    }
}

/// Sleeps until then; for no longer than a look may be away, whatever is done to the clock.
async fn sleep_until(time: Timestamp, most: Duration) {
    let left = time.duration_since(Timestamp::now());
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default().min(most)).await;
}

impl<'a> Known<'a> {
    /// What was known before this process began, where it is the same run.
    fn of(engine: &'a Engine, target: &'a Target) -> Self {
        let before: Option<State> = files::read_json(&engine.health_path(&target.name), MAX).ok();
        let state = match before {
            Some(mut state) if state.run == target.run => {
                state.check = target.check.probe.to_string();
                state
            }
            before => State::begin(&target.check, &target.run, target.started, before.as_ref()),
        };
        let past = engine.past_of(&target.name);
        Self { engine, target, state, past, written: None }
    }

    /// Takes in what a look has found.
    async fn take(&mut self, found: Found) {
        let (at, check) = (Timestamp::now(), &self.target.check);
        if !found.passed && self.state.is_last_chance(check, at) && !self.is_running().await {
            // It is frozen, or on its way down: that is no illness.
            self.state.checked = Some(at);
            return;
        }
        let became = self.state.take(check, at, found.passed);
        let name = &self.target.name;
        match became {
            Some(Status::Unhealthy) => {
                tracing::warn!(%name, said = found.said, "unhealthy");
                self.note(What::Unhealthy, found.said);
            }
            Some(status) => {
                tracing::info!(%name, "{status}");
                self.note(What::Healthy, found.said);
            }
            None if !found.passed => self.note_failure(found.said),
            None => {}
        }
        self.write_if_other();
    }

    /// Notes a failure, but not again and again the same.
    fn note_failure(&mut self, said: String) {
        let is_new = self.past.0.back().is_none_or(|last| last.said != said);
        if is_new && self.state.streak <= self.target.check.retries {
            self.note(What::Failed, said);
        }
    }

    /// Does what is to be done of an unhealthy one, unless it runs no more. Whether that has ended its run.
    async fn remedy(&mut self, what: OnUnhealthy) -> bool {
        self.state.tried = Some(Timestamp::now());
        let (noted, word) = match what {
            OnUnhealthy::None => return false,
            OnUnhealthy::Restart => (What::Restarted, "restarted"),
            OnUnhealthy::Stop => (What::Stopped, "stopped"),
        };
        if !self.is_running().await {
            return false;
        }
        if what == OnUnhealthy::Restart {
            self.state.restarts = self.state.restarts.saturating_add(1);
        }
        // Before it is done: with the end of the run nobody is here any more.
        self.write();
        self.note(noted, format!("unhealthy {} times in a row", self.state.streak));
        tracing::warn!(name = %self.target.name, "{word}, because it is unhealthy");
        let (engine, target) = (self.engine.clone(), self.target.clone());
        let done = tokio::task::spawn_blocking(move || {
            let done = match what {
                OnUnhealthy::Restart => engine.restart_run(&target),
                _ => engine.stop_run(&target),
            };
            if let Err(error) = &done {
                tracing::error!(name = %target.name, error = %error.chain().join(": "), "it can't be {word}");
            }
            done.is_ok()
        });
        done.await.unwrap_or(false)
    }

    async fn is_running(&self) -> bool {
        let (engine, name) = (self.engine.clone(), self.target.name.clone());
        let state = tokio::task::spawn_blocking(move || -> Result<state::State> {
            engine.subject_state(&engine.subject(&name)?)
        });
        matches!(state.await, Ok(Ok(state::State::Running)))
    }

    /// Writes the state down where it tells something new, or has not been written for a while.
    fn write_if_other(&mut self) {
        let (now, bound) = (&self.state, self.target.check.retries);
        let is_known = self.written.as_ref().is_some_and(|(old, when)| {
            old.status == now.status
                && old.passed == now.passed
                && old.restarts == now.restarts
                && (old.streak == now.streak || now.streak > bound)
                && when.elapsed() < SELDOM
        });
        if !is_known {
            self.write();
        }
    }

    fn write(&mut self) {
        let path = self.engine.health_path(&self.target.name);
        let bytes = serde_json::to_vec(&self.state).unwrap_or_default();
        match files::write_volatile(&path, &bytes, 0o644) {
            Ok(()) => self.written = Some((self.state.clone(), Instant::now())),
            Err(error) => tracing::warn!(%error, "the health of a workload can't be told"),
        }
    }

    /// Notes what has happened. What a check says may be of no concern to everybody.
    fn note(&mut self, what: What, said: String) {
        self.past.add(Entry { at: Timestamp::now(), what, said });
        let path = self.engine.past_path(&self.target.name);
        let bytes = serde_json::to_vec(&self.past).unwrap_or_default();
        let written = make_folder(&self.engine.paths().health_history()).and_then(|()| {
            files::write_volatile(&path, &bytes, 0o640)?;
            Ok(files::share_with_group(&path, crate::GROUP)?)
        });
        if let Err(error) = written {
            tracing::warn!(%error, "what became of a workload's health can't be noted");
        }
    }
}

impl Engine {
    /// Stops a workload, if this run of it is still the present one.
    fn stop_run(&self, target: &Target) -> Result<()> {
        let _lock = self.lock_name(&target.name)?;
        if !self.is_present(target) {
            return Ok(());
        }
        match self.subject(&target.name)? {
            Subject::Container(spec) => self.bring_down_held(&spec, None),
            Subject::Service(spec) => self.bring_unit_down(&spec.unit(), None),
        }
    }

    /// Restarts a workload, likewise.
    fn restart_run(&self, target: &Target) -> Result<()> {
        let _lock = self.lock_name(&target.name)?;
        if !self.is_present(target) {
            return Ok(());
        }
        // As one job, so that what is part of it is restarted with it.
        let unit = self.subject(&target.name)?.unit();
        let limit = self.job_limit(JobKind::Restart, &unit)?;
        Ok(self.systemd().run_job(JobKind::Restart, &unit, limit).map(drop)?)
    }

    fn is_present(&self, target: &Target) -> bool {
        self.run_of(&target.name).is_some_and(|run| run == target.run)
    }
}
