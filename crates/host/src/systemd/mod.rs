//! systemd's manager over D-Bus: jobs, unit properties, unit files, and news of units.
//!
//! `Systemd` is the narrow trait the crates above use; `SystemdBus` is the real one, `FakeSystemd` (feature `fakes`) holds
//! unit states in memory. Calls block and may be made from any thread, with or without an async runtime around it.

mod analyze;
mod bus;
#[cfg(any(test, feature = "fakes"))]
mod fake;
mod jobs;
mod machined;
mod names;
mod status;
#[cfg(test)]
mod tests;
mod watch;
mod wire;

use std::time::Duration;

pub use analyze::{AnalyzeError, check_calendar, exposure, verify};
pub use bus::{SYSTEM_BUS, SystemdBus};
#[cfg(any(test, feature = "fakes"))]
pub use fake::{FakeSystemd, FakeUnit};
pub use machined::Machine;
pub use names::{matches_pattern, unit_of_path, unit_path};
pub use status::{ActiveState, MainExit, Properties, Property, UnitStatus};
pub use watch::{UnitChange, UnitEvent, UnitWatch};

/// Why systemd did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers on the system bus, or systemd is not on it.
    #[error("systemd cannot be reached over D-Bus: {reason}")]
    NoBus {
        /// What the bus library said.
        reason: String,
    },
    /// There is no such unit, or it is not loaded.
    #[error("there is no unit {unit}")]
    NoSuchUnit {
        /// The unit asked for.
        unit: String,
    },
    /// The caller may not do this.
    #[error("systemd refused: {message}")]
    Refused {
        /// What systemd said.
        message: String,
    },
    /// The job ended without doing its work.
    #[error("{job} of {unit} ended with {result}")]
    JobFailed {
        /// The unit.
        unit: String,
        /// What was to be done.
        job: JobKind,
        /// How it ended.
        result: JobResult,
    },
    /// The time given was up; the job may still be under way.
    #[error("{what} did not end within {}s", limit.as_secs_f32())]
    Timeout {
        /// What was waited for.
        what: String,
        /// The time given.
        limit: Duration,
    },
    /// Anything else systemd answered.
    #[error("systemd: {message}")]
    Other {
        /// The D-Bus name of the error, empty where there is none.
        name: String,
        /// What systemd said.
        message: String,
    },
}

/// A result of a call to systemd.
pub type Result<T> = std::result::Result<T, Error>;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Starts a unit; nothing to do where it is active.
    Start,
    /// Starts a unit, and nothing that it wants or requires.
    StartAlone,
    /// Stops a unit.
    Stop,
    /// Stops and starts a unit.
    Restart,
    /// Restarts a unit that is active, else does nothing.
    TryRestart,
    /// Reloads a unit that can, restarts one that cannot; one that is not active is left alone.
    ReloadOrTryRestart,
}

impl JobKind {
    fn method(self) -> &'static str {
        match self {
            Self::Start | Self::StartAlone => "StartUnit",
            Self::Stop => "StopUnit",
            Self::Restart => "RestartUnit",
            Self::TryRestart => "TryRestartUnit",
            Self::ReloadOrTryRestart => "ReloadOrTryRestartUnit",
        }
    }

    /// How the job stands to those that are queued, and to other units.
    fn mode(self) -> &'static str {
        if self == Self::StartAlone { "ignore-dependencies" } else { "replace" }
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Start | Self::StartAlone => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::TryRestart => "try-restart",
            Self::ReloadOrTryRestart => "reload",
        })
    }
}

/// How a job ended, in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobResult {
    /// It did its work.
    Done,
    /// There was nothing to do.
    Skipped,
    /// Another job took its place.
    Canceled,
    /// It took longer than systemd allows.
    Timeout,
    /// The unit failed.
    Failed,
    /// A unit it needs failed.
    Dependency,
    /// Another word.
    Other(String),
}

impl JobResult {
    /// From systemd's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "skipped" => Self::Skipped,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl std::fmt::Display for JobResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Dependency => "dependency",
            Self::Other(word) => word,
        })
    }
}

/// Which processes of a unit a signal goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The main process.
    Main,
    /// The control process.
    Control,
    /// All in its cgroup.
    All,
}

impl Whom {
    fn word(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Control => "control",
            Self::All => "all",
        }
    }
}

/// How long a changed property lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the next boot.
    Runtime,
    /// For good.
    Persistent,
}

/// A value for `set_properties`, typed as systemd wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A number, `u64::MAX` for infinity: `MemoryMax`, `TasksMax`, `CPUQuotaPerSecUSec`, `CPUWeight`.
    U64(u64),
    /// A switch.
    Bool(bool),
    /// A word.
    Text(String),
    /// A list of words.
    Texts(Vec<String>),
    /// A limit for each device or path: `IOReadBandwidthMax`. An empty list resets.
    Limits(Vec<(String, u64)>),
    /// Bytes, such as the mask of `AllowedCPUs`.
    Bytes(Vec<u8>),
}

/// A loaded unit, as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitSummary {
    /// Its name with suffix.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `loaded`, `not-found`, `masked`, …
    pub load: String,
    /// Its state.
    pub active: ActiveState,
    /// The state in the words of its type: `running`, `exited`, `auto-restart`, …
    pub sub: String,
    /// The job that is queued for it (`start`, `stop`, …), if any.
    pub job: Option<String>,
}

/// systemd, as far as Volt needs it.
pub trait Systemd: Send + Sync + std::fmt::Debug {
    /// Runs a job and returns when it has ended: `Done` or `Skipped`, any other end is `JobFailed`.
    fn run_job(&self, job: JobKind, unit: &str, limit: Duration) -> Result<JobResult>;

    /// Stops a unit and returns when it is down. One that systemd does not know is.
    fn stop(&self, unit: &str, limit: Duration) -> Result<()> {
        match self.run_job(JobKind::Stop, unit, limit) {
            Ok(_) | Err(Error::NoSuchUnit { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Queues a job and does not wait for it.
    fn queue_job(&self, job: JobKind, unit: &str) -> Result<()>;

    /// Sends a signal to processes of a unit.
    fn kill(&self, unit: &str, whom: Whom, signal: i32) -> Result<()>;

    /// Suspends all processes of a unit; returns when they stand still.
    fn freeze(&self, unit: &str) -> Result<()>;

    /// Undoes `freeze`.
    fn thaw(&self, unit: &str) -> Result<()>;

    /// Forgets that a unit failed, which also lets a stopped one be unloaded.
    fn reset_failed(&self, unit: &str) -> Result<()>;

    /// Reads all unit files again. Costs some 100 ms: not for the way of an ordinary start.
    fn daemon_reload(&self) -> Result<()>;

    /// Changes properties of a unit, at once.
    fn set_properties(
        &self,
        unit: &str,
        lifetime: Lifetime,
        settings: &[(&str, Setting)],
    ) -> Result<()>;

    /// The loaded units whose names match one of these patterns (`*` and `?`); all without patterns.
    fn list_units(&self, patterns: &[&str]) -> Result<Vec<UnitSummary>>;

    /// What is known of one unit. A unit that does not exist has the load state `not-found`.
    fn unit_status(&self, unit: &str) -> Result<UnitStatus>;

    /// Properties by name, from whichever of the unit's interfaces has them; unknown ones are left out.
    fn unit_properties(&self, unit: &str, names: &[&str]) -> Result<Properties>;

    /// Makes units start with what wants them. Without a reload systemd heeds it at its next one.
    fn enable(&self, units: &[&str], lifetime: Lifetime) -> Result<()>;

    /// Undoes `enable`.
    fn disable(&self, units: &[&str], lifetime: Lifetime) -> Result<()>;

    /// systemd's version, as it tells it: `252.39-1~deb12u2`.
    fn version(&self) -> Result<String>;

    /// News of the units whose names match one of these patterns; of all without patterns.
    fn watch(&self, patterns: &[&str]) -> Result<UnitWatch>;
}
