//! The process that holds a workload's terminal or pipes.
//!
//! It is the main process of the workload's unit (or, without systemd, a process of its own): it starts the program,
//! writes what the workload says to the journal or a file, serves attach, tells systemd when the command runs, and ends
//! as the command ended. It outlives Volt's daemon and knows nothing of containers beyond the formats in
//! ARCHITECTURE.md. One thread, one poll loop, no runtime: there is one of these for every workload.

mod cgroup;
mod clients;
mod control;
mod lines;
mod notify;
mod options;
mod program;
mod record;
mod relay;
mod replay;
mod signals;
mod sink;
mod workload;

use std::ffi::OsString;
use std::process::ExitCode;

pub use options::{HELP, Log, Mode, Options, OptionsError};
pub use record::{Exit, Failure, Leader};

/// The exit code when the relay itself cannot do its work.
pub const INTERNAL: u8 = 125;

/// Holds back the signals that ask for an end until the relay reads them, or whoever called it is done.
pub fn hold_signals() {
    // Where that fails it fails again in the relay, which tells.
    drop(signals::Signals::block());
}

/// Tells systemd, where this process is a unit's main process.
pub fn notify(environment: impl IntoIterator<Item = (OsString, OsString)>, words: &str) {
    program::Environment::split(environment).notify.send(words);
}

/// Runs the relay: `NAME --mode app|boot|plain [--run-dir DIR] [--log journal|FILE] [--tty] [--stdin]
/// [--attach-hold] -- PROGRAM ARGS…`.
///
/// `environment` is the process's own: the program gets it, but for what systemd meant for the relay. To be called
/// before there is a second thread.
pub fn main(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    main_telling(args, environment, &mut |_| {})
}

/// As [`main`]; `is_up` is told the leader's process id once the workload's command runs, before anybody else is told.
pub fn main_telling(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    is_up: &mut dyn FnMut(u32),
) -> ExitCode {
    let environment = program::Environment::split(environment);
    match Options::parse(args) {
        Ok(options) => ExitCode::from(relay::run(&options, &environment, is_up)),
        Err(error) => {
            environment.notify.status(&format!("volt internal relay: {error}"));
            ExitCode::from(INTERNAL)
        }
    }
}
