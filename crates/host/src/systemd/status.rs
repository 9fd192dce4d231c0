//! What systemd tells of a unit, typed. Pure.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// The value of a property, as far as Volt reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// Any unsigned number.
    U64(u64),
    /// Any signed number.
    I64(i64),
    /// A switch.
    Bool(bool),
    /// A string or object path.
    Text(String),
    /// A list of strings.
    Texts(Vec<String>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A type that Volt does not read.
    Other,
}

/// Properties by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(pub HashMap<String, Property>);

impl Properties {
    /// A string; empty where there is none.
    pub fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Property::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// A number that is set. systemd tells "not set" and "infinity" as the greatest number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Property::U64(u64::MAX) => None,
            Property::U64(number) => Some(*number),
            Property::I64(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A switch; off where there is none.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Property::Bool(true))
    }

    /// A wall-clock time, told in microseconds since 1970; 0 means never.
    pub fn time(&self, name: &str) -> Option<SystemTime> {
        let micros = self.number(name).filter(|micros| *micros > 0)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(micros))
    }

    fn signed(&self, name: &str) -> i32 {
        match self.0.get(name) {
            Some(Property::I64(number)) => i32::try_from(*number).unwrap_or(0),
            _ => 0,
        }
    }
}

/// A unit's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActiveState {
    /// Up.
    Active,
    /// Coming up.
    Activating,
    /// Going down.
    Deactivating,
    /// Up, and reading its configuration again.
    Reloading,
    /// Down.
    Inactive,
    /// Down, and not as it should be.
    Failed,
    /// Another word.
    Unknown,
}

impl ActiveState {
    /// From systemd's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "active" => Self::Active,
            "activating" => Self::Activating,
            "deactivating" => Self::Deactivating,
            "reloading" | "refreshing" => Self::Reloading,
            "inactive" => Self::Inactive,
            "failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// systemd's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Activating => "activating",
            Self::Deactivating => "deactivating",
            Self::Reloading => "reloading",
            Self::Inactive => "inactive",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether processes of the unit may run.
    pub fn is_up(self) -> bool {
        !matches!(self, Self::Inactive | Self::Failed | Self::Unknown)
    }
}

/// How the main process of a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MainExit {
    /// It exited with this code.
    Exited(i32),
    /// A signal of this number ended it.
    Signaled(i32),
}

/// What is known of one unit. Numbers are absent where the host does not count them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitStatus {
    /// `loaded`, `not-found`, `masked`, `error`, …
    pub load: String,
    /// Its state.
    pub active: ActiveState,
    /// The state in the words of its type.
    pub sub: String,
    /// `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …; empty for types without.
    pub result: String,
    /// Where the main process has ended: how.
    pub main_exit: Option<MainExit>,
    /// The main process, while it runs.
    pub main_pid: Option<u32>,
    /// Its cgroup below the root of the v2 hierarchy, with a leading slash; empty while there is none.
    pub control_group: String,
    /// The id of this run, 32 hex digits; empty before the first.
    pub invocation: String,
    /// How often it was restarted by itself.
    pub restarts: u64,
    /// Its unit file.
    pub fragment: String,
    /// `enabled`, `static`, …
    pub file_state: String,
    /// Whether the files have changed since systemd read them.
    pub needs_reload: bool,
    /// When it last became active.
    pub active_since: Option<SystemTime>,
    /// When it last became inactive or failed.
    pub inactive_since: Option<SystemTime>,
    /// When the main process last started.
    pub main_started: Option<SystemTime>,
    /// When the main process last ended.
    pub main_ended: Option<SystemTime>,
    /// Memory in use, in bytes.
    pub memory: Option<u64>,
    /// CPU time used, in nanoseconds.
    pub cpu_nanos: Option<u64>,
    /// Tasks.
    pub tasks: Option<u64>,
    /// Bytes read from block devices.
    pub io_read: Option<u64>,
    /// Bytes written to block devices.
    pub io_written: Option<u64>,
}

impl From<&Properties> for UnitStatus {
    fn from(all: &Properties) -> Self {
        // The values of si_code: 1 exited, 2 killed, 3 dumped.
        let status = all.signed("ExecMainStatus");
        let main_exit = match all.signed("ExecMainCode") {
            1 => Some(MainExit::Exited(status)),
            2 | 3 => Some(MainExit::Signaled(status)),
            _ => None,
        };
        let invocation = match all.0.get("InvocationID") {
            Some(Property::Bytes(bytes)) => bytes.iter().map(|b| format!("{b:02x}")).collect(),
            _ => String::new(),
        };
        let pid = |name| all.number(name).and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        Self {
            load: all.text("LoadState"),
            active: ActiveState::parse(&all.text("ActiveState")),
            sub: all.text("SubState"),
            result: all.text("Result"),
            main_exit,
            main_pid: pid("MainPID"),
            control_group: all.text("ControlGroup"),
            invocation,
            restarts: all.number("NRestarts").unwrap_or(0),
            fragment: all.text("FragmentPath"),
            file_state: all.text("UnitFileState"),
            needs_reload: all.flag("NeedDaemonReload"),
            active_since: all.time("ActiveEnterTimestamp"),
            inactive_since: all.time("InactiveEnterTimestamp"),
            main_started: all.time("ExecMainStartTimestamp"),
            main_ended: all.time("ExecMainExitTimestamp"),
            memory: all.number("MemoryCurrent"),
            cpu_nanos: all.number("CPUUsageNSec"),
            tasks: all.number("TasksCurrent"),
            io_read: all.number("IOReadBytes"),
            io_written: all.number("IOWriteBytes"),
        }
    }
}
