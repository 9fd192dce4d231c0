//! What PID 1 of an app container does, and the last step of `exec`: read a spec, make the terminal or the pipes,
//! confine, execute, forward signals, reap, and report on the control socket.
//!
//! This runs inside the container, on whatever image there is: it must not need a library, a file or a program of the
//! image, and must not know anything of the rest of Volt but the formats in ARCHITECTURE.md.

pub mod child;
pub mod confine;
pub mod control;
pub mod passwd;
pub mod run;
pub mod spec;
pub mod stdio;
pub mod supervise;

/// Exit code when init itself cannot do its work (a broken spec, no terminal to be had).
pub const INTERNAL: u8 = 125;
/// Exit code when the command exists but cannot be executed, or its user is unknown.
pub const NOT_EXECUTABLE: u8 = 126;
/// Exit code when the command does not exist.
pub const NOT_FOUND: u8 = 127;

/// Why the command was not executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// [`INTERNAL`], [`NOT_EXECUTABLE`] or [`NOT_FOUND`], or 128 and a signal that came before the command began.
    pub code: u8,
    /// One line for a person.
    pub message: String,
}

impl Failure {
    /// A failure of init itself while doing `what`.
    pub fn internal(what: &str, error: impl std::fmt::Display) -> Self {
        Self { code: INTERNAL, message: format!("{what}: {error}") }
    }

    /// The command cannot run as asked: `what` says which part, `error` why.
    pub fn refused(what: &str, error: impl std::fmt::Display) -> Self {
        Self { code: NOT_EXECUTABLE, message: format!("{what}: {error}") }
    }
}
