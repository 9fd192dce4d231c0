//! The state of a workload, in plain words, and which verbs it allows.
//!
//! ```text
//! create -> stopped -- start --> starting --> running -- freeze --> frozen
//!              ^  ^                              |  ^--- thaw ------|
//!              |  '------- stop -- stopping <----'
//!              '-- start again -- failed <-- ended with an error
//! ```
//! Nothing here changes a state: systemd does, by jobs. This says what may be asked for.

use std::fmt;

/// What a person would call the state of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not running, and the last run (if any) ended well or was stopped.
    Stopped,
    /// On its way up.
    Starting,
    /// Up.
    Running,
    /// On its way down.
    Stopping,
    /// All its processes are held still.
    Frozen,
    /// systemd waits before it starts it again.
    Restarting,
    /// The last run ended with an error.
    Failed,
}

const WORDS: [(State, &str); 7] = [
    (State::Stopped, "stopped"),
    (State::Starting, "starting"),
    (State::Running, "running"),
    (State::Stopping, "stopping"),
    (State::Frozen, "frozen"),
    (State::Restarting, "restarting"),
    (State::Failed, "failed"),
];

impl State {
    /// The state that systemd's words mean; `frozen` is what the workload's cgroup says.
    #[must_use]
    pub fn from_systemd(active: &str, sub: &str, frozen: bool) -> Self {
        match (active, sub) {
            (_, "auto-restart" | "auto-restart-queued") => Self::Restarting,
            ("active" | "reloading" | "refreshing", _) if frozen => Self::Frozen,
            ("active" | "reloading" | "refreshing", _) => Self::Running,
            ("activating", _) => Self::Starting,
            ("deactivating", _) => Self::Stopping,
            ("failed", _) => Self::Failed,
            _ => Self::Stopped,
        }
    }

    /// The plain word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|row| row.0 == self).expect("every state has its word").1
    }

    /// Whether any of its processes may exist.
    #[must_use]
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Stopped | Self::Failed)
    }

    /// Whether `verb` may be asked for in this state.
    #[must_use]
    pub fn allows(self, verb: Verb) -> bool {
        match verb {
            Verb::Start => {
                matches!(self, Self::Stopped | Self::Failed | Self::Restarting | Self::Stopping)
            }
            Verb::Stop | Verb::Kill => self.is_alive(),
            Verb::Restart | Verb::Update => true,
            Verb::Exec | Verb::Attach => matches!(self, Self::Running),
            Verb::Freeze => self == Self::Running,
            Verb::Thaw => self == Self::Frozen,
            Verb::Delete | Verb::Rename | Verb::Restore => !self.is_alive(),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What may be asked of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Bring it up.
    Start,
    /// Bring it down in order.
    Stop,
    /// Down and up again.
    Restart,
    /// Send it a signal.
    Kill,
    /// Run a command in it.
    Exec,
    /// Connect to its terminal or streams.
    Attach,
    /// Hold all its processes still.
    Freeze,
    /// Let them go on.
    Thaw,
    /// Change its limits.
    Update,
    /// Give it another name.
    Rename,
    /// Make it what it was.
    Restore,
    /// Remove it.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_words() {
        for (active, sub, frozen, state) in [
            ("inactive", "dead", false, State::Stopped),
            ("active", "running", false, State::Running),
            ("active", "running", true, State::Frozen),
            ("activating", "start", false, State::Starting),
            ("activating", "auto-restart", false, State::Restarting),
            ("deactivating", "stop-sigterm", false, State::Stopping),
            ("failed", "failed", false, State::Failed),
        ] {
            assert_eq!(State::from_systemd(active, sub, frozen), state);
        }
    }

    #[test]
    fn nothing_alive_is_deleted_and_only_the_frozen_thaw() {
        for (state, _) in WORDS {
            assert_eq!(state.allows(Verb::Delete), !state.is_alive());
            assert_eq!(state.allows(Verb::Thaw), state == State::Frozen);
        }
    }
}
