//! The two ends of a run: noting that it has begun, and winding it up when it has ended, so that how it ended is kept when systemd
//! has long forgotten the unit.
//!
//! The unit's main process does both itself. Where it was killed before it could, `volt-exited@NAME.service` (the unit's
//! `OnFailure=`, which the next run waits for) or the next command does, by what systemd knows; one that systemd starts again
//! at once is not recorded. `RUN_DIR/invocation` holds
//! systemd's id of the run that is not wound up; all that is done about it is done under the lock on the root.

use super::boot::Down;
use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::Deserialize;
use std::path::PathBuf;
use volt_host::cgroup::Cgroup;
use volt_host::command::Command;
use volt_host::systemd::MainExit;
use volt_host::{files, process};
use volt_model::container::{Exit, Mode, signal_name, unit};
use volt_model::name::Name;

/// What the file of a run that is recorded, and perhaps not yet released, is called.
pub(super) const RECORDED: &str = "recorded";
/// How the reason begins of a start that only systemd knows of, because no process of Volt's ran.
pub(super) const SYSTEMD_SAYS: &str = "systemd says";

/// What the relay wrote of how the command ended.
#[derive(Deserialize)]
struct RelayExit {
    code: i32,
    #[serde(default)]
    signal: Option<u8>,
    #[serde(default)]
    timed_out: bool,
}

/// What the relay wrote of a command that could not be executed.
#[derive(Deserialize)]
struct RelayFailure {
    code: i32,
    message: String,
}

/// What is known of the end of a run beside what the relay wrote.
enum Last {
    /// Its process has seen it.
    Seen,
    /// Its process was killed; systemd's result, and how it ended.
    Killed { result: String, exit: Option<MainExit> },
    /// Its process was never executed.
    NotExecuted { result: String, exit: Option<MainExit> },
}

impl Engine {
    /// Notes that the run `invocation` of `name` begins. To be called by the process that holds it.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn run_begins(&self, name: &Name, invocation: &str) -> Result<()> {
        {
            let _root = self.lock_root(name)?;
            let run = self.paths().container_run(name);
            if self.open_run(name).is_some() {
                // Its process was killed, and systemd has not said so to anybody before it starts the unit again.
                forget_machine(name);
                super::prepare::clear_after_nspawn(name)?;
            }
            super::prepare::clear_hold(&run)?;
            files::remove_file(&run.join(RECORDED))?;
            files::write_volatile(&self.invocation_path(name), invocation.as_bytes(), 0o644)?;
            self.prepared_is_used(name)?;
        }
        self.came_up(name)
    }

    /// Winds up the run `invocation` of `name` that just ended. To be called by the process that held it; that of another
    /// supervisor than systemd has no such id.
    ///
    /// # Errors
    /// When how it ended can't be recorded, or what was prepared for it can't be taken away.
    pub fn run_ended(&self, name: &Name, invocation: &str) -> Result<()> {
        let _root = self.lock_root(name)?;
        if self.open_run(name).unwrap_or_default() != invocation {
            return Ok(());
        }
        let noted = self.went_down(name, Down::Ended);
        self.wind_up(name, &Last::Seen).and(noted)
    }

    /// Winds up a run whose process was killed, and takes away what was prepared for a start that did not come. A run whose process
    /// lives is left alone.
    ///
    /// # Errors
    /// As [`Engine::run_ended`].
    pub fn clear_run(&self, name: &Name) -> Result<()> {
        let _root = self.lock_root(name)?;
        self.wind_up_dead(name)
    }

    /// Takes away what a container needed that its own unit had prepared, when that is needed no more.
    ///
    /// # Errors
    /// As [`Engine::run_ended`].
    pub fn unneeded(&self, name: &Name) -> Result<()> {
        let _root = self.lock_root(name)?;
        let noted = self.went_down(name, Down::Unneeded);
        self.wind_up_dead(name)?;
        self.release(name).and(noted)
    }

    /// [`Engine::clear_run`] for whoever holds the lock on the root.
    pub(crate) fn wind_up_dead(&self, name: &Name) -> Result<()> {
        let (open, prepared) = (self.open_run(name).is_some(), self.prepared_at(name));
        if !open && prepared.is_none() {
            return Ok(());
        }
        // When the host goes down there may be nobody left to ask.
        let unit = self.systemd().unit_status(&unit::name(name)).ok();
        if unit.as_ref().is_some_and(|unit| unit.main_pid.is_some()) {
            return Ok(());
        }
        let tried = unit.as_ref().is_some_and(|unit| unit.inactive_since > prepared);
        let (result, exit) = unit.map(|unit| (unit.result, unit.main_exit)).unwrap_or_default();
        if open {
            let noted = self.went_down(name, Down::Killed(&result));
            // nspawn was killed with it.
            forget_machine(name);
            super::prepare::clear_after_nspawn(name)?;
            return self.wind_up(name, &Last::Killed { result, exit }).and(noted);
        }
        let recorded = self.paths().container_run(name).join(RECORDED).exists();
        if tried && !recorded && !matches!(result.as_str(), "" | "success") {
            return self.wind_up(name, &Last::NotExecuted { result, exit });
        }
        self.release(name)
    }

    /// Records how the run ended; and takes away what was prepared, where no unit does.
    fn wind_up(&self, name: &Name, last: &Last) -> Result<()> {
        let recorded =
            if self.container_exists(name) { self.record_exit(name, last) } else { Ok(()) };
        // Whoever comes after a kill releases, and leaves the record as it is.
        let (open, done) =
            (self.invocation_path(name), self.invocation_path(name).with_file_name(RECORDED));
        match std::fs::rename(&open, &done) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(files::Error::new("rename", &open, e).into());
            }
            _ => {}
        }
        if self.is_prepared_ahead(name) {
            self.release(name)?;
        }
        recorded
    }

    /// The run that is not wound up.
    pub(super) fn open_run(&self, name: &Name) -> Option<String> {
        files::read_text(&self.invocation_path(name), 256).ok()
    }

    fn invocation_path(&self, name: &Name) -> PathBuf {
        self.paths().container_run(name).join("invocation")
    }

    fn record_exit(&self, name: &Name, last: &Last) -> Result<()> {
        let run = self.paths().container_run(name);
        let failure: Option<RelayFailure> = files::read_json(&run.join("failure"), 1 << 16).ok();
        let exit: Option<RelayExit> = files::read_json(&run.join("exit"), 1 << 16).ok();
        let reboots = exit.as_ref().is_some_and(|exit| exit.code == unit::REBOOT);
        if reboots && self.spec(name).is_ok_and(|spec| spec.mode == Mode::Boot) {
            // Its system is booted again, which is no end.
            return Ok(());
        }
        let (code, reason) = match (failure, exit, last) {
            (Some(failure), ..) => (failure.code, Exit::could_not_start(failure.message)),
            (None, Some(exit), _) => (exit.code, reason(&exit)),
            (None, None, Last::Seen) => unknown_end("", None),
            (None, None, Last::Killed { result, exit }) => unknown_end(result, *exit),
            (None, None, Last::NotExecuted { result, exit }) => {
                let (code, _) = unknown_end(result, *exit);
                (code, Exit::could_not_start(format_args!("{SYSTEMD_SAYS} {result}, {code}")))
            }
        };
        let exit = Exit { code, reason, finished: Timestamp::now() };
        self.save_exit(name, &exit)
    }
}

fn reason(exit: &RelayExit) -> String {
    match exit.signal {
        _ if exit.timed_out => "killed: it did not stop in time".to_owned(),
        Some(9) if ran_out_of_memory() => "out of memory".to_owned(),
        Some(signal) => format!("killed by {}", signal_name(signal)),
        None => "exited".to_owned(),
    }
}

/// Tells machined that the machine is gone, where nspawn was killed before it could: the next run would find its name taken.
fn forget_machine(name: &Name) {
    let call = [
        "call",
        "org.freedesktop.machine1",
        "/org/freedesktop/machine1",
        "org.freedesktop.machine1.Manager",
    ];
    let forgotten = Command::new("busctl")
        .args(call)
        .args(["UnregisterMachine", "s", name.as_str()])
        .output_any_status();
    if let Err(error) = forgotten {
        tracing::warn!(%name, %error, "machined can't be told that a machine is gone");
    }
}

/// How a run ended whose relay could say nothing, because it was killed itself. `result` is that of systemd's service, empty where
/// nobody can be asked any more.
fn unknown_end(result: &str, exit: Option<MainExit>) -> (i32, String) {
    let code = match exit {
        Some(MainExit::Exited(code)) => code,
        Some(MainExit::Signaled(number)) => 128 + number,
        None => 137,
    };
    let signal = u8::try_from(code - 128).ok().filter(|number| *number > 0);
    let reason = match (result, signal) {
        ("oom-kill", _) => "out of memory".to_owned(),
        ("timeout", _) => "killed: it did not start or stop in time".to_owned(),
        ("success" | "exit-code", _) => "exited".to_owned(),
        ("signal" | "core-dump", Some(signal)) => format!("killed by {}", signal_name(signal)),
        ("", _) => "killed, and nobody saw it".to_owned(),
        (other, _) => format!("ended: {other}"),
    };
    (code, reason)
}

/// Whether the kernel has killed anything for memory in the unit that this process belongs to.
fn ran_out_of_memory() -> bool {
    // Below it, because the unit's own group has groups.
    let own = process::cgroup(std::process::id()).ok().flatten().unwrap_or_default();
    let unit = if own.ends_with("supervisor") { own.parent().unwrap_or(&own) } else { &own };
    let usage = Cgroup::of_unit(&unit.to_string_lossy()).and_then(|group| group.usage());
    usage.ok().and_then(|usage| usage.memory_events).is_some_and(|events| events.oom_kill > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_without_a_word_from_the_relay() {
        for (result, exit, code, reason) in [
            ("exit-code", Some(MainExit::Exited(3)), 3, "exited"),
            ("signal", Some(MainExit::Signaled(9)), 137, "killed by SIGKILL"),
            ("oom-kill", Some(MainExit::Signaled(9)), 137, "out of memory"),
            ("", None, 137, "killed, and nobody saw it"),
        ] {
            assert_eq!(unknown_end(result, exit), (code, reason.to_owned()));
        }
    }
}
