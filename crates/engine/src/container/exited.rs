//! The two ends of a run: noting that it has begun, and winding it up when it has ended, so that how it ended is kept when systemd
//! has long forgotten the unit.
//!
//! The unit's main process does both itself. Where it was killed before it could, `volt-exited@NAME.service` (the unit's
//! `OnFailure=`), the next run or the next command does. `RUN_DIR/invocation` holds systemd's id of the run that is not wound up.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::Deserialize;
use std::path::PathBuf;
use volt_host::cgroup::Cgroup;
use volt_host::command::Command;
use volt_host::systemd::MainExit;
use volt_host::{files, process};
use volt_model::container::{Exit, Spec, signal_name};
use volt_model::name::Name;

/// What systemd knows of how a service has ended (`systemd.exec(5)`, `$MONITOR_SERVICE_RESULT` and what follows it).
#[derive(Clone, Debug, Default)]
pub struct ServiceEnd {
    /// `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …; empty where nobody has said.
    pub result: String,
    /// `exited`, `killed`, `dumped`.
    pub code: String,
    /// A number, or a signal's name.
    pub status: String,
}

/// What the relay wrote of how the command ended.
#[derive(Deserialize)]
struct RelayExit {
    code: i32,
    #[serde(default)]
    signal: Option<u8>,
}

/// What the relay wrote of a command that could not be executed.
#[derive(Deserialize)]
struct RelayFailure {
    code: i32,
    message: String,
}

impl Engine {
    /// Notes that the run `invocation` of `name` begins. To be called by the process that holds it.
    ///
    /// # Errors
    /// When that can't be written.
    pub fn run_begins(&self, name: &Name, invocation: &str) -> Result<()> {
        if self.open_run(name).is_some() {
            // Its process was killed, and systemd starts the unit again over the same root.
            forget_machine(name);
            super::prepare::clear_after_nspawn(name)?;
        }
        Ok(files::write_volatile(&self.invocation_path(name), invocation.as_bytes(), 0o644)?)
    }

    /// Winds up the run of `name` that just ended. To be called by the process that held it.
    ///
    /// # Errors
    /// When how it ended can't be recorded, or what was prepared for it can't be taken away.
    pub fn run_ended(&self, name: &Name) -> Result<()> {
        let _root = self.lock_root(name)?;
        self.wind_up(name, &ServiceEnd::default())
    }

    /// Winds up the run `invocation` of `name`, whose process was killed; any other run is left alone.
    ///
    /// # Errors
    /// As [`Engine::run_ended`].
    pub fn exited(&self, name: &Name, invocation: &str, end: &ServiceEnd) -> Result<()> {
        let _root = self.lock_root(name)?;
        if self.open_run(name).is_some_and(|open| open == invocation) {
            self.wind_up(name, end)?;
        }
        Ok(())
    }

    /// Winds up what was left of the last run of a container that is down, as systemd tells it, and takes away what was prepared
    /// for a start that did not come.
    pub(super) fn clear_run(&self, spec: &Spec) -> Result<()> {
        let _root = self.lock_root(&spec.name)?;
        if self.open_run(&spec.name).is_some() {
            let unit = self.systemd().unit_status(&spec.unit())?;
            let (code, status) = match unit.main_exit {
                Some(MainExit::Exited(code)) => ("exited", code.to_string()),
                Some(MainExit::Signaled(number)) => ("killed", number.to_string()),
                None => ("", String::new()),
            };
            let end = ServiceEnd { result: unit.result, code: code.to_owned(), status };
            self.wind_up(&spec.name, &end)?;
        }
        if self.is_prepared_ahead(&spec.name) { self.release(&spec.name) } else { Ok(()) }
    }

    /// Records how the run ended; and takes away what was prepared, where no unit does. The root's lock must be held.
    pub(super) fn wind_up(&self, name: &Name, end: &ServiceEnd) -> Result<()> {
        let recorded =
            if self.container_exists(name) { self.record_exit(name, end) } else { Ok(()) };
        super::prepare::remove_file(&self.invocation_path(name))?;
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

    fn record_exit(&self, name: &Name, end: &ServiceEnd) -> Result<()> {
        let run = self.paths().container_run(name);
        let failure: Option<RelayFailure> = files::read_json(&run.join("failure"), 1 << 16).ok();
        let exit: Option<RelayExit> = files::read_json(&run.join("exit"), 1 << 16).ok();
        let (code, reason) = match (failure, exit) {
            (Some(failure), _) => (failure.code, format!("could not start: {}", failure.message)),
            (None, Some(exit)) => (exit.code, self.reason(exit.signal, end)),
            (None, None) => {
                forget_machine(name);
                unknown_end(end)
            }
        };
        let exit = Exit { code, reason, finished: Timestamp::now() };
        self.save_exit(name, &exit)?;
        let copy = serde_json::json!({ "state": "stopped", "exit": exit });
        let path = self.paths().container(name).join("state.json");
        let text = copy.to_string();
        let write = || files::write_volatile(&path, text.as_bytes(), 0o644);
        Ok(self.reserve().or_give_up(write)?)
    }

    fn reason(&self, signal: Option<u8>, end: &ServiceEnd) -> String {
        match signal {
            Some(9) if ran_out_of_memory() => "out of memory".to_owned(),
            Some(_) if end.result == "timeout" => "killed: it did not stop in time".to_owned(),
            Some(signal) => format!("killed by {}", signal_name(signal)),
            None => "exited".to_owned(),
        }
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

/// How a run ended whose relay could say nothing, because it was killed itself.
fn unknown_end(end: &ServiceEnd) -> (i32, String) {
    let code = match (end.code.as_str(), end.status.parse::<i32>()) {
        ("exited", Ok(code)) => code,
        (_, _) => 128 + i32::from(volt_model::container::parse_signal(&end.status).unwrap_or(9)),
    };
    let reason = match end.result.as_str() {
        "oom-kill" => "out of memory".to_owned(),
        "timeout" => "killed: it did not start or stop in time".to_owned(),
        "success" | "exit-code" => "exited".to_owned(),
        "signal" | "core-dump" => match volt_model::container::parse_signal(&end.status) {
            Ok(signal) => format!("killed by {}", signal_name(signal)),
            Err(_) => "killed".to_owned(),
        },
        "" => "killed, and nobody saw it".to_owned(),
        other => format!("ended: {other}"),
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
        let end = |result: &str, code: &str, status: &str| ServiceEnd {
            result: result.into(),
            code: code.into(),
            status: status.into(),
        };
        assert_eq!(unknown_end(&end("exit-code", "exited", "3")), (3, "exited".into()));
        assert_eq!(
            unknown_end(&end("signal", "killed", "KILL")),
            (137, "killed by SIGKILL".into())
        );
        assert_eq!(unknown_end(&end("oom-kill", "killed", "KILL")), (137, "out of memory".into()));
    }
}
