//! A task: a command that a timer of systemd starts ([`unit`]), on the host or in a container, and how its runs ended.

pub mod cron;
pub mod unit;

use crate::image::ImageRef;
use crate::name::Name;
use crate::service::{Program, ProgramError};
use crate::time::{SpanError, parse_span, span_text};
use crate::unitfile::UnitFileError;
use cron::{Cron, CronError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// When a task is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// As `systemd.time(7)` has it: `Mon..Fri 03:00`.
    Calendar(String),
    /// So long after it was started last: `5m`.
    Every(String),
    /// Five fields of `crontab(5)`.
    Cron(String),
}

/// What a timer waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Points in time, as `OnCalendar=` has them, each an alternative.
    Calendar(Vec<String>),
    /// A span since the last start.
    Span(Duration),
}

/// A text that is no schedule.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// No span.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// A span in which nothing can run.
    #[error("`{0}` is below a second")]
    TooOften(String),
    /// No line of a crontab.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// What can't stand in a unit file.
    #[error(
        "`{0}` is no calendar expression: write one such as `Mon..Fri 03:00`, `hourly` or `*:0/15`"
    )]
    Calendar(String),
}

impl Schedule {
    /// What a timer is to wait for. Whether systemd takes a calendar expression only systemd knows.
    ///
    /// # Errors
    /// When the text is none.
    pub fn trigger(&self) -> Result<Trigger, ScheduleError> {
        match self {
            Self::Calendar(text) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || " -*,.:/~_+".contains(c);
                if text.trim().is_empty() || text.len() > 200 || !text.chars().all(plain) {
                    return Err(ScheduleError::Calendar(text.chars().take(80).collect()));
                }
                Ok(Trigger::Calendar(vec![text.trim().to_owned()]))
            }
            Self::Every(text) => {
                let span = parse_span(text)?;
                if span < Duration::from_secs(1) {
                    return Err(ScheduleError::TooOften(text.chars().take(40).collect()));
                }
                Ok(Trigger::Span(span))
            }
            Self::Cron(text) => Ok(Trigger::Calendar(text.parse::<Cron>()?.calendar())),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calendar(text) => f.write_str(text),
            Self::Every(text) => write!(f, "every {text}"),
            Self::Cron(text) => write!(f, "cron {text}"),
        }
    }
}

/// Everything that was asked for of a task, checked: `tasks/NAME/config.json`. Values of environment variables are not in it: they
/// lie in `environment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The format of this file: 1.
    pub version: u32,
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: Option<String>,
    /// What is run; in a container its sandbox and folders are the container's.
    pub program: Program,
    /// The image of the container that it runs in; on the host where there is none.
    pub image: Option<ImageRef>,
    /// The network that its container is connected to; that of all containers where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// When it is started.
    pub schedule: Schedule,
    /// Seconds that a run may take.
    pub timeout: Option<u64>,
    /// How often it is tried again when it failed.
    pub retries: u32,
    /// Seconds by which a start is put off at most, at random.
    pub random_delay: Option<u64>,
    /// Whether a time that the host slept through is made up for.
    pub persistent: bool,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// When it was created.
    pub created: Timestamp,
}

/// Why a task can't be so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TaskError {
    /// Its command, user, folders or limits.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Its time.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// More retries than anybody waits for.
    #[error("{0} retries are more than 100")]
    Retries(u32),
    /// No time at all.
    #[error("a run that may take no time can't begin")]
    NoTime,
    /// What only programs of the host have.
    #[error("{0} is of programs on the host: a task in a container has what its image says")]
    OfTheHost(&'static str),
}

impl Spec {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;

    /// The service that a run is.
    #[must_use]
    pub fn unit(&self) -> String {
        unit::service(&self.name)
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// When systemd would read something else than what is meant, or could not run it.
    pub fn validate(&self) -> Result<(), TaskError> {
        drop(self.schedule.trigger()?);
        if self.retries > 100 {
            return Err(TaskError::Retries(self.retries));
        }
        if self.timeout == Some(0) {
            return Err(TaskError::NoTime);
        }
        if self.image.is_none() {
            return Ok(self.program.validate()?);
        }
        if !self.program.writable.is_empty() {
            return Err(TaskError::OfTheHost("--writable"));
        }
        if self.program.exec.iter().any(|word| word.contains('\0')) {
            return Err(ProgramError::from(UnitFileError::Nul).into());
        }
        self.program.limits.validate().map_err(ProgramError::from)?;
        Ok(self.program.validate_secrets()?)
    }
}

/// How a run of a task ended: one of `tasks/NAME/history.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// systemd's id of it.
    pub invocation: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
    /// The first try is 1.
    pub attempt: u32,
    /// systemd's word for how: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …
    pub result: String,
    /// Its exit code, 128+n when signal n ended it; none where no process of it ran.
    pub code: Option<i32>,
}

impl Run {
    /// The most that are kept of a task.
    pub const KEPT: usize = 100;

    /// Whether it did its work.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.result == "success"
    }
}

/// The span as systemd and people read it.
fn span(seconds: u64) -> String {
    span_text(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        let trigger = |schedule: Schedule| schedule.trigger();
        assert_eq!(
            trigger(Schedule::Every("1h30m".into())),
            Ok(Trigger::Span(Duration::from_secs(5400)))
        );
        assert_eq!(
            trigger(Schedule::Calendar(" Mon..Fri 03:00 ".into())),
            Ok(Trigger::Calendar(vec!["Mon..Fri 03:00".into()]))
        );
        for bad in [
            Schedule::Every("10ms".into()),
            Schedule::Every("soon".into()),
            Schedule::Calendar(String::new()),
            Schedule::Calendar("daily\nExecStart=/bin/sh".into()),
            Schedule::Calendar("%n".into()),
            Schedule::Cron("* * *".into()),
        ] {
            assert!(trigger(bad.clone()).is_err(), "{bad:?} was taken");
        }
    }
}
