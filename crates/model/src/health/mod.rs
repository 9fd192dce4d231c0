//! Health checks: what is asked of a workload, how often, and what follows from the answers ([`State`]).
//!
//! A check is written in the record of a container or service, and in `etc/volt/health/NAME.yaml` (`NAME.service.yaml`), which goes over it.
//! The words are Compose's.

pub mod http;
mod state;
#[cfg(test)]
mod tests;
mod words;

pub use state::{Entry, History, State, Status, What};
pub use words::{Command, Span, StatusRange};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The shortest time between two looks.
pub const SHORTEST: Duration = Duration::from_millis(100);
/// The longest of all times in a check.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// The largest file of a check, in bytes.
pub const MAX_FILE: usize = 64 << 10;
/// How much of what a check says is kept, in bytes.
pub const MAX_OUTPUT: usize = 4096;

/// What is done when a workload has become unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnhealthy {
    /// It is told, and that is all.
    #[default]
    None,
    /// It is restarted, at growing distances.
    Restart,
    /// It is stopped.
    Stop,
}

impl fmt::Display for OnUnhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Restart => "restart",
            Self::Stop => "stop",
        })
    }
}

impl FromStr for OnUnhealthy {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, CheckError> {
        [Self::None, Self::Restart, Self::Stop]
            .into_iter()
            .find(|one| one.to_string() == text)
            .ok_or_else(|| {
                wrong("on_unhealthy", format!("`{text}` is none of none, restart, stop"))
            })
    }
}

/// How it is found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A web page is asked for.
    Http(Http),
    /// Somebody listens at the port.
    Tcp(u16),
    /// A command inside ends with 0.
    Exec(Vec<String>),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(http) => write!(f, "http {}{}", http.port, http.path),
            Self::Tcp(port) => write!(f, "tcp {port}"),
            Self::Exec(words) => write!(f, "exec {}", words.join(" ")),
        }
    }
}

/// A web page, and which answers are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The port.
    pub port: u16,
    /// The path, `/` where none is said.
    #[serde(default = "root")]
    pub path: String,
    /// The codes that are good; 200 to 399 where none are said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<StatusRange>,
    /// What is sent along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

fn root() -> String {
    "/".to_owned()
}

/// A check, whole and good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wanted", into = "Wanted")]
pub struct Check {
    /// How it is found out.
    pub probe: Probe,
    /// Time between two looks.
    pub interval: Duration,
    /// Time after which a look has failed.
    pub timeout: Duration,
    /// How many failures in a row make it unhealthy.
    pub retries: u32,
    /// How long failures do not count after a start, until the first success.
    pub start_period: Duration,
    /// Time between two looks until the first success.
    pub start_interval: Duration,
    /// What is done when it has become unhealthy.
    pub on_unhealthy: OnUnhealthy,
}

impl Check {
    /// A check of Compose's defaults.
    #[must_use]
    pub fn by(probe: Probe) -> Self {
        Self {
            probe,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            retries: 3,
            start_period: Duration::ZERO,
            start_interval: Duration::from_secs(5),
            on_unhealthy: OnUnhealthy::None,
        }
    }

    /// Time between two looks while nothing is known yet.
    #[must_use]
    pub fn first_interval(&self) -> Duration {
        self.start_interval.min(self.interval)
    }

    /// By when it is known of a new run whether it is healthy.
    #[must_use]
    pub fn known_within(&self) -> Duration {
        let looks = self.interval.saturating_add(self.timeout);
        looks.saturating_mul(self.retries.saturating_add(1)).saturating_add(self.start_period)
    }

    fn validate(&self) -> Result<(), CheckError> {
        match &self.probe {
            Probe::Http(http) => http::validate(http)?,
            Probe::Tcp(0) => return Err(wrong("tcp", "0 is no port")),
            Probe::Tcp(_) => {}
            Probe::Exec(words) => {
                if words.first().is_none_or(String::is_empty) {
                    return Err(wrong("exec", "the command is empty"));
                }
                if words.iter().any(|word| word.contains('\0')) {
                    return Err(wrong("exec", "a word has a NUL in it"));
                }
            }
        }
        let times = [
            ("interval", self.interval, SHORTEST),
            ("timeout", self.timeout, Duration::from_millis(1)),
            ("start_interval", self.start_interval, SHORTEST),
            ("start_period", self.start_period, Duration::ZERO),
        ];
        for (field, time, least) in times {
            if time < least || time > LONGEST {
                return Err(wrong(field, format!("it must be {} to 30d", Span(least))));
            }
        }
        match self.retries {
            1..=10_000 => Ok(()),
            _ => Err(wrong("retries", "it must be 1 to 10000")),
        }
    }
}

/// Why a check is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckError {
    /// A field can't be so.
    #[error("`{field}`: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// Nothing is asked.
    #[error("it names nothing to look at: write one of http, tcp and exec, or none: true")]
    NoProbe,
    /// Too much is asked.
    #[error("only one of http, tcp, exec and none may be written")]
    Several,
}

pub(crate) fn wrong(field: &'static str, reason: impl Into<String>) -> CheckError {
    CheckError::Field { field, reason: reason.into() }
}

/// A check as people write it: what is not said is taken from what it goes over, or from Compose's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Nothing is looked at, whatever the record or the image says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub none: bool,
    /// A web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// A port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<u16>,
    /// A command inside: words, or one text for its shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Command>,
    /// Time between two looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// Time after which a look has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many failures in a row make it unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How long failures do not count after a start, until the first success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Span>,
    /// Time between two looks until the first success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<Span>,
    /// What is done when it has become unhealthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unhealthy: Option<OnUnhealthy>,
}

impl Wanted {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The check that this makes of another; none where nothing is to be looked at.
    ///
    /// # Errors
    /// When the whole is no check.
    pub fn over(self, base: Option<&Check>) -> Result<Option<Check>, CheckError> {
        let http = self.http.map(Probe::Http);
        let probes = [http, self.tcp.map(Probe::Tcp), self.exec.map(|words| Probe::Exec(words.0))];
        let mut probes = probes.into_iter().flatten();
        let (first, second) = (probes.next(), probes.next());
        if second.is_some() || (self.none && first.is_some()) {
            return Err(CheckError::Several);
        }
        if self.none {
            return Ok(None);
        }
        let mut check = match (first, base) {
            (Some(probe), Some(base)) => Check { probe, ..base.clone() },
            (Some(probe), None) => Check::by(probe),
            (None, Some(base)) => base.clone(),
            (None, None) => return Err(CheckError::NoProbe),
        };
        let set = |field: &mut Duration, span: Option<Span>| {
            *field = span.map_or(*field, |span| span.0);
        };
        set(&mut check.interval, self.interval);
        set(&mut check.timeout, self.timeout);
        set(&mut check.start_period, self.start_period);
        set(&mut check.start_interval, self.start_interval);
        check.retries = self.retries.unwrap_or(check.retries);
        check.on_unhealthy = self.on_unhealthy.unwrap_or(check.on_unhealthy);
        check.validate()?;
        Ok(Some(check))
    }
}

impl TryFrom<Wanted> for Check {
    type Error = CheckError;

    fn try_from(wanted: Wanted) -> Result<Self, CheckError> {
        wanted.over(None)?.ok_or(CheckError::NoProbe)
    }
}

impl From<Check> for Wanted {
    fn from(check: Check) -> Self {
        let mut wanted = Self {
            interval: Some(Span(check.interval)),
            timeout: Some(Span(check.timeout)),
            retries: Some(check.retries),
            start_period: Some(Span(check.start_period)),
            start_interval: Some(Span(check.start_interval)),
            on_unhealthy: Some(check.on_unhealthy),
            ..Self::default()
        };
        match check.probe {
            Probe::Http(http) => wanted.http = Some(http),
            Probe::Tcp(port) => wanted.tcp = Some(port),
            Probe::Exec(words) => wanted.exec = Some(Command(words)),
        }
        wanted
    }
}

/// `HEALTHCHECK` of an image, as its config has it: times in nanoseconds, 0 for what is not said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OfImage {
    test: Option<Vec<String>>,
    interval: i64,
    timeout: i64,
    start_period: i64,
    start_interval: i64,
    retries: i64,
}

impl OfImage {
    /// The check; none where the image has none, or one that can't be.
    #[must_use]
    pub fn check(self) -> Option<Check> {
        let mut test = self.test.unwrap_or_default().into_iter();
        let command = match test.next()?.as_str() {
            "CMD" => Command(test.collect()),
            "CMD-SHELL" => Command::of_shell(test.next()?),
            _ => return None,
        };
        let span = |nanos: i64| {
            let nanos = u64::try_from(nanos).ok().filter(|n| *n > 0)?;
            Some(Span(Duration::from_nanos(nanos).clamp(SHORTEST, LONGEST)))
        };
        let wanted = Wanted {
            exec: Some(command),
            interval: span(self.interval),
            timeout: span(self.timeout),
            start_period: span(self.start_period),
            start_interval: span(self.start_interval),
            retries: u32::try_from(self.retries).ok().filter(|n| *n > 0),
            ..Wanted::default()
        };
        wanted.over(None).ok()?
    }
}
