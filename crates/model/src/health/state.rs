//! What is known of a workload's health, and what becomes of it with each look. Pure: times and results come in.
//!
//! ```text
//! a run begins -> starting -- success -> healthy <- success -- unhealthy
//!                    |                      |                      ^
//!                    '----------------------'-- failures in a row -'
//! ```

use super::{Check, OnUnhealthy};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How long it must have been well until restarts of before are forgotten.
const WELL: Duration = Duration::from_secs(600);
/// What the second restart in a row waits.
const PAUSE: Duration = Duration::from_secs(10);
/// What no restart waits longer than.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How much of its past is kept.
const MOST: usize = 100;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not known yet.
    Starting,
    /// Well.
    Healthy,
    /// Not well.
    Unhealthy,
}

impl Status {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What is known: `run/volt/health/NAME.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What tells the run from others: its first process.
    pub run: String,
    /// When the run began.
    pub started: Timestamp,
    /// How it is.
    pub status: Status,
    /// Since when it is so.
    pub since: Timestamp,
    /// Failures in a row that count.
    pub streak: u32,
    /// When it was last looked.
    pub checked: Option<Timestamp>,
    /// Whether it was well then.
    pub passed: Option<bool>,
    /// When a failure was last counted.
    pub counted: Option<Timestamp>,
    /// When it was last tried to restart or stop it.
    #[serde(default)]
    pub tried: Option<Timestamp>,
    /// How often it was restarted for its health since it was last well for a while.
    pub restarts: u32,
    /// What is looked at, in words.
    pub check: String,
}

impl State {
    /// That of a new run. What was of the run before counts for the distance of restarts alone.
    #[must_use]
    pub fn begin(check: &Check, run: &str, started: Timestamp, before: Option<&Self>) -> Self {
        Self {
            run: run.to_owned(),
            started,
            status: Status::Starting,
            since: started,
            streak: 0,
            checked: None,
            passed: None,
            counted: None,
            tried: None,
            restarts: before.map_or(0, |state| state.restarts),
            check: check.probe.to_string(),
        }
    }

    /// When to look next.
    #[must_use]
    pub fn due(&self, check: &Check) -> Timestamp {
        let interval = match self.status {
            Status::Starting => check.first_interval(),
            Status::Healthy | Status::Unhealthy => check.interval,
        };
        self.checked.map_or(self.started, |checked| later(checked, interval))
    }

    /// Takes a result in. Tells the status where it has become another.
    pub fn take(&mut self, check: &Check, at: Timestamp, passed: bool) -> Option<Status> {
        self.checked = Some(at);
        self.passed = Some(passed);
        if passed {
            self.streak = 0;
            if self.status == Status::Healthy && at >= later(self.since, WELL) {
                self.restarts = 0;
            }
            return self.set(Status::Healthy, at);
        }
        if self.counts(check, at) {
            self.counted = Some(at);
            self.streak = self.streak.saturating_add(1);
        }
        if self.streak >= check.retries { self.set(Status::Unhealthy, at) } else { None }
    }

    /// Whether a failure now would make it unhealthy.
    #[must_use]
    pub fn is_last_chance(&self, check: &Check, at: Timestamp) -> bool {
        self.status != Status::Unhealthy
            && self.counts(check, at)
            && self.streak.saturating_add(1) >= check.retries
    }

    /// Looks come sooner while nothing is known yet; failures count no sooner than with a look each interval.
    fn counts(&self, check: &Check, at: Timestamp) -> bool {
        if self.status != Status::Starting {
            return true;
        }
        let last = self.counted.unwrap_or(self.started);
        at >= later(self.started, check.start_period) && at >= later(last, check.interval)
    }

    fn set(&mut self, status: Status, at: Timestamp) -> Option<Status> {
        if self.status == status {
            return None;
        }
        self.status = status;
        self.since = at;
        Some(status)
    }

    /// What is to be done of one that is unhealthy, and when.
    #[must_use]
    pub fn remedy(&self, check: &Check) -> Option<(OnUnhealthy, Timestamp)> {
        if self.status != Status::Unhealthy {
            return None;
        }
        match check.on_unhealthy {
            OnUnhealthy::None => None,
            // What did not work is tried again.
            OnUnhealthy::Stop => Some((
                OnUnhealthy::Stop,
                self.tried.map_or(self.since, |tried| later(tried, PAUSE)),
            )),
            OnUnhealthy::Restart => {
                let last = self.tried.map_or(self.since, |tried| tried.max(self.since));
                let pause = pause(self.restarts.max(u32::from(self.tried.is_some())));
                Some((OnUnhealthy::Restart, later(last, pause)))
            }
        }
    }
}

/// What the next restart waits after so many.
fn pause(restarts: u32) -> Duration {
    let Some(doublings) = restarts.checked_sub(1) else { return Duration::ZERO };
    PAUSE.saturating_mul(1 << doublings.min(10)).min(LONGEST_PAUSE)
}

fn later(time: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    time.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It is well now.
    Healthy,
    /// It is not, as often as it takes.
    Unhealthy,
    /// A look has failed.
    Failed,
    /// It was restarted for its health.
    Restarted,
    /// It was stopped for its health.
    Stopped,
}

impl What {
    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Failed => "failed",
            Self::Restarted => "restarted",
            Self::Stopped => "stopped",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// What the check said.
    pub said: String,
}

/// What happened: `var/lib/volt/health/NAME.json`, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(pub VecDeque<Entry>);

impl History {
    /// Adds to it; the oldest goes where there are too many.
    pub fn add(&mut self, entry: Entry) {
        self.0.push_back(entry);
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// What a check last said that failed.
    #[must_use]
    pub fn last_words(&self) -> Option<&str> {
        let failed = |entry: &&Entry| matches!(entry.what, What::Failed | What::Unhealthy);
        self.0.iter().rev().find(failed).map(|entry| entry.said.as_str())
    }
}
