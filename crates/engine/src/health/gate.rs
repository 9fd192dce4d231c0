//! Gates that open when a workload is healthy: units that others require and come after, `volt-healthy@NAME.service` and
//! `volt-service-healthy@NAME.service`.

use super::{Subject, View, make_folder, no_check};
use crate::Engine;
use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use volt_host::watch::FolderWatch;
use volt_model::health::{OnUnhealthy, Span, Status};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How often it is asked whether the workload runs at all.
const LOOK: Duration = Duration::from_secs(1);
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

    /// Whether a workload is healthy now.
    pub(crate) fn is_healthy(&self, name: &Name) -> bool {
        self.health_of(name).is_some_and(|state| state.status == Status::Healthy)
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
