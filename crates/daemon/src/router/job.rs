//! One operation under way: what its handler is given, and what becomes of its outcome.
//!
//! The order is fixed here: privilege, parameters, body, a trail that can be written, the handler, the trail's line,
//! the answer. Nothing that changes anything can leave it out.

use super::Shared;
use crate::activity::Running;
use crate::audit::{AuditError, Outcome, Record};
use crate::auth;
use crate::peer::Peer;
use serde::Serialize;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;
use volt_api::{OperationInfo, Problem};
use volt_model::kind::ErrorKind;

/// What a handler is given beside parameters and body.
pub struct Cx<S> {
    /// What the handlers work on: the engine.
    pub state: S,
    /// Who asks.
    pub peer: Arc<Peer>,
    /// The request's name, as the audit trail has it.
    pub request: Arc<str>,
    /// Cancelled when nobody waits for the answer any more.
    pub cancel: CancellationToken,
    pub(crate) shared: Arc<Shared>,
    pub(crate) running: Running,
}

impl<S> fmt::Debug for Cx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("peer", &self.peer).field("request", &self.request).finish()
    }
}

impl<S> Cx<S> {
    /// Whether the caller may see environment values and whatever else is marked secret.
    #[must_use]
    pub fn sees_secrets(&self) -> bool {
        self.shared.access.sees_secrets(&self.peer)
    }

    /// Refuses whoever is not root; `what` is the subject of `… needs root`.
    ///
    /// # Errors
    /// The refusal.
    pub fn require_root(&self, what: &str) -> Result<(), Failure> {
        if self.shared.access.is_root(&self.peer) {
            return Ok(());
        }
        Err(Failure::refused(auth::needs_root(&self.peer, what)))
    }

    /// Refuses whoever may not read the host's journal: members of its groups may anyway, and those who may manage
    /// containers see more than that.
    ///
    /// # Errors
    /// The refusal.
    pub fn require_journal(&self, unit: &str) -> Result<(), Failure> {
        self.shared.access.check_journal(&self.peer, unit).map_err(Failure::refused)
    }

    /// Writes a further line to the trail, for another action than its own that an operation does on the way.
    ///
    /// # Errors
    /// When the trail can't be written.
    pub fn record_too(
        &self,
        action: &str,
        resource: &str,
        failure: Option<&Failure>,
    ) -> Result<(), Failure> {
        let mut record = Record::now(&self.peer, action.to_owned(), &self.request);
        resource.clone_into(&mut record.resource);
        if let Some(failure) = failure {
            record.result = failure.outcome();
            record.error = Some(failure.for_trail());
        }
        self.shared.audit.write(&record).map_err(|error| {
            let title = format!("{action} was done, but can't be recorded");
            Problem::new(ErrorKind::General, title).because(&error).into()
        })
    }

    /// Where the audit trail lies.
    #[must_use]
    pub fn trail(&self) -> &Path {
        self.shared.audit.path()
    }

    /// A flag that is set when nobody waits for the answer any more, for the engine's loops.
    ///
    /// Only for blocking threads, which handlers run on.
    #[must_use]
    pub fn gone(&self) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(self.cancel.is_cancelled()));
        let (cancel, set) = (self.cancel.clone(), flag.clone());
        // The answer's end cancels too, so this task ends in any case.
        tokio::spawn(async move {
            cancel.cancelled().await;
            set.store(true, Ordering::Relaxed);
        });
        flag
    }

    /// Says which step the operation is at, for SIGUSR1.
    pub fn doing(&self, step: &str) {
        self.running.doing(step);
    }
}

/// Why an operation gave nothing.
#[derive(Debug)]
pub struct Failure {
    /// What the caller is told.
    pub problem: Problem,
    refused: bool,
    /// Whether the causes may quote what the request had in it, which is nothing for the trail.
    quotes: bool,
}

impl Failure {
    /// The caller may not do this.
    #[must_use]
    pub fn refused(problem: Problem) -> Self {
        Self { problem, refused: true, quotes: false }
    }

    /// The request itself is wrong; its causes may quote it.
    #[must_use]
    pub fn of_request(problem: Problem) -> Self {
        Self { problem, refused: false, quotes: true }
    }

    fn bug() -> Self {
        let title = "Volt failed in a way that it should not have";
        Problem::new(ErrorKind::General, title)
            .hinted("Its log says more: `journalctl -u volt.service`")
            .into()
    }

    fn outcome(&self) -> Outcome {
        if self.refused { Outcome::Refused } else { Outcome::Failure }
    }

    /// What the trail says of it.
    fn for_trail(&self) -> String {
        if self.quotes { self.problem.title.clone() } else { self.problem.to_string() }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, refused: false, quotes: false }
    }
}

/// An operation under way.
pub(crate) struct Job<S> {
    pub(crate) cx: Cx<S>,
    pub(crate) info: OperationInfo,
    /// What it is about, by the parameters or the body; the answer's name is taken where neither says it.
    pub(crate) resource: Resource,
    pub(crate) span: tracing::Span,
}

/// What an operation is about, as far as is known before it is done.
#[derive(Debug, Default)]
pub(crate) struct Resource {
    /// Named by the request.
    pub(crate) named: Option<String>,
    /// What to say where the answer has no name either.
    pub(crate) otherwise: Option<String>,
}

impl Resource {
    /// From the request's body, unless the parameters already named it.
    pub(crate) fn or_from(&mut self, body: &impl Serialize) {
        if self.named.is_some() {
            return;
        }
        let body = serde_json::to_value(body).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(|v| v.as_str()).map(str::to_owned);
        self.named = text("name").filter(|name| !name.is_empty());
        self.otherwise = text("image");
    }

    fn tell(&self, id: &str, reply: Option<&impl Serialize>) -> String {
        if let Some(name) = &self.named {
            return name.clone();
        }
        let reply = reply.and_then(|r| serde_json::to_value(r).ok()).unwrap_or_default();
        let named = reply.get("name").and_then(|v| v.as_str()).map(str::to_owned);
        let noun = || id.split('_').next().unwrap_or_default().to_owned();
        named.or_else(|| self.otherwise.clone()).unwrap_or_else(noun)
    }
}

impl<S> Job<S> {
    /// Runs the handler on this (blocking) thread and writes the trail's line.
    pub(crate) fn run<R: Serialize>(
        &self,
        work: impl FnOnce(&Cx<S>) -> Result<R, Failure>,
    ) -> Result<R, Problem> {
        let _entered = self.span.enter();
        // A handler that panics must not take the trail's line with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&self.cx)));
        self.conclude(outcome.unwrap_or_else(|_| Err(Failure::bug())))
    }

    /// Writes the trail's line and makes of a failure what the caller is told.
    pub(crate) fn conclude<R: Serialize>(&self, outcome: Result<R, Failure>) -> Result<R, Problem> {
        let recorded = if self.info.changes { self.record(outcome.as_ref()) } else { Ok(()) };
        match (outcome, recorded) {
            (Ok(reply), Ok(())) => {
                tracing::debug!("done");
                Ok(reply)
            }
            (Ok(_), Err(error)) => {
                tracing::error!(error = %chain(&error), "done, but not recorded");
                let title = format!("{} was done, but can't be recorded", self.info.action());
                let problem = Problem::new(error.kind(), title).because(&error);
                Err(self.stamped(problem))
            }
            (Err(failure), recorded) => {
                if let Err(error) = recorded {
                    tracing::error!(error = %chain(&error), "a failure was not recorded");
                }
                let result = failure.outcome();
                tracing::warn!(?result, error = %failure.for_trail(), "failed");
                Err(self.stamped(failure.problem))
            }
        }
    }

    /// Makes sure that the trail can be written before anything is changed.
    pub(crate) fn trail_ready(&self) -> Result<(), Failure> {
        if !self.info.changes {
            return Ok(());
        }
        self.cx.shared.audit.ready().map_err(|error| {
            Problem::new(error.kind(), "Nothing was changed: it could not be recorded")
                .because(&error)
                .into()
        })
    }

    fn record<R: Serialize>(&self, outcome: Result<&R, &Failure>) -> Result<(), AuditError> {
        let mut record = Record::now(&self.cx.peer, self.info.action(), &self.cx.request);
        record.resource = self.resource.tell(self.info.id, outcome.ok());
        if let Err(failure) = outcome {
            record.result = failure.outcome();
            record.error = Some(failure.for_trail());
        }
        self.cx.shared.audit.write(&record)
    }

    fn stamped(&self, mut problem: Problem) -> Problem {
        problem.request = Some(self.cx.request.to_string());
        problem
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
