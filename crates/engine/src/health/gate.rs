//! Gates: units that others require and come after, `volt-healthy@NAME.service`, `volt-service-healthy@NAME.service` and
//! `volt-completed@NAME.service`.

use super::{Subject, View, make_folder, no_check};
use crate::Engine;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use volt_host::systemd::ActiveState;
use volt_host::watch::FolderWatch;
use volt_model::container::{Exit, Spec, unit};
use volt_model::health::{OnUnhealthy, Span, Status};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::State;

/// How often it is asked whether the workload runs at all.
const LOOK: Duration = Duration::from_secs(1);
/// What is up before any container can be.
const AT_BOOT: &str = "sysinit.target";
/// How much longer than the check itself needs is waited.
const SLACK: Duration = Duration::from_secs(30);

impl Engine {
    /// Returns when the present run of a container or service is healthy.
    ///
    /// # Errors
    /// `General` with its last words where it is unhealthy and stays so, or has ended; `Timeout` where that is not known in time.
    pub fn gate_healthy(&self, name: &Name) -> Result<()> {
        self.await_healthy(name, &AtomicBool::new(false))
    }

    /// The same for somebody who may leave: `gone` is set then.
    pub(crate) fn await_healthy(&self, name: &Name, gone: &AtomicBool) -> Result<()> {
        make_folder(&self.paths().health())?;
        let watch = FolderWatch::new(&[&self.paths().health()])?;
        let subject = self.subject(name)?;
        let begun = Instant::now();
        while !gone.load(Ordering::Relaxed) {
            let view = self.health_view(&subject);
            let Some(check) = &view.check else { return Err(no_check(&subject)) };
            let status = view.state.as_ref().map(|state| state.status);
            let comes_back = check.on_unhealthy == OnUnhealthy::Restart;
            match status {
                Some(Status::Healthy) => return Ok(()),
                Some(Status::Unhealthy) if !comes_back => {
                    return Err(closed(&subject, &view, "unhealthy"));
                }
                _ => {}
            }
            let state = self.subject_state(&subject)?;
            if !state.is_alive() && !comes_back {
                return Err(closed(&subject, &view, &state.to_string()));
            }
            let limit = check.known_within() + SLACK;
            if begun.elapsed() > limit {
                let text = format!("not healthy after {}", Span(limit));
                return Err(Error { kind: ErrorKind::Timeout, ..closed(&subject, &view, &text) });
            }
            drop(watch.next(LOOK)?);
        }
        Err(Error::new(ErrorKind::Interrupted, "Nobody waits for it any more").about(name))
    }

    /// Returns when the run of a container has ended with 0.
    ///
    /// # Errors
    /// `General` where it has not begun, or ended otherwise.
    pub fn gate_completed(&self, name: &Name) -> Result<()> {
        let spec = self.spec(name)?;
        let watch = FolderWatch::new(&[&self.paths().container(name)])?;
        loop {
            let state = self.run_state(&spec)?.state;
            if !state.is_alive() {
                return self.completed(&spec, state);
            }
            // The end is written down just before the unit ends.
            drop(watch.next(LOOK)?);
        }
    }

    /// Whether a workload is healthy now.
    pub(crate) fn is_healthy(&self, name: &Name) -> bool {
        self.health_of(name).is_some_and(|state| state.status == Status::Healthy)
    }

    /// Whether the last run of a container is over and has ended well.
    pub(crate) fn has_completed(&self, name: &Name) -> Result<bool> {
        let spec = self.spec(name)?;
        let state = self.run_state(&spec)?.state;
        Ok(!state.is_alive() && self.completed(&spec, state).is_ok())
    }

    /// Whether the run that is over has ended well.
    fn completed(&self, spec: &Spec, state: State) -> Result<()> {
        let name = &spec.name;
        let failed = |why: String| {
            Err(Error::new(
                ErrorKind::General,
                format!("The container {name} has not completed: {why}"),
            )
            .about(name)
            .hinted(format!("See `volt logs {name}`")))
        };
        // A run that was never begun has left no end, and that of an earlier one says nothing.
        let prepare = self.systemd().unit_status(&unit::prepare_name(name))?;
        let begun = self.systemd().unit_status(&spec.unit())?.main_started;
        // systemd forgets a unit that has ended and that nobody asks for: then it ended since the boot, or not at all.
        let begun = match begun {
            None => self.systemd().unit_status(AT_BOOT)?.active_since,
            begun => begun,
        };
        let begun = begun.and_then(|time| Timestamp::try_from(time).ok());
        let end =
            self.last_exit(name).filter(|end| begun.is_some_and(|begun| end.finished >= begun));
        match end {
            _ if prepare.active == ActiveState::Failed => failed("it could not be prepared".into()),
            Some(Exit { code: 0, .. }) if state == State::Stopped => Ok(()),
            Some(end) => failed(format!("{}, exit code {}", end.reason, end.code)),
            None => failed("it has not run".into()),
        }
    }
}

fn closed(subject: &Subject, view: &View, why: &str) -> Error {
    let (name, word) = (&view.name, subject.word());
    let title = match &view.last_words {
        Some(words) => format!("The {word} {name} is {why}; its check last said: {words}"),
        None => format!("The {word} {name} is {why}"),
    };
    Error::new(ErrorKind::General, title)
        .about(name)
        .hinted(format!("See `volt health status {name}` and `volt logs {name}`"))
}
