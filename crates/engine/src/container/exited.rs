//! Recording how a container's run ended. Called by the unit's `ExecStopPost=`, so that it is kept when systemd has long
//! forgotten the unit.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::Deserialize;
use volt_host::cgroup::Cgroup;
use volt_host::command::Command;
use volt_host::{files, process};
use volt_model::container::{Exit, signal_name};
use volt_model::name::Name;

/// What systemd tells an `ExecStopPost=` command by its environment (`systemd.exec(5)`).
#[derive(Clone, Debug, Default)]
pub struct ServiceEnd {
    /// `SERVICE_RESULT`: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`, …
    pub result: String,
    /// `EXIT_CODE`: `exited`, `killed`, `dumped`.
    pub code: String,
    /// `EXIT_STATUS`: a number, or a signal's name.
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
    /// Records how the run of `name` that just ended has ended.
    ///
    /// # Errors
    /// When the record can't be written.
    pub fn exited(&self, name: &Name, end: &ServiceEnd) -> Result<()> {
        if !self.container_exists(name) {
            return Ok(());
        }
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
        Ok(files::write_volatile(
            &self.paths().container(name).join("state.json"),
            copy.to_string().as_bytes(),
            0o644,
        )?)
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
        "signal" | "core-dump" => format!("killed by SIG{}", end.status),
        other => format!("ended: {other}"),
    };
    (code, reason)
}

/// Whether the kernel has killed anything for memory in the unit that this process belongs to.
fn ran_out_of_memory() -> bool {
    // systemd puts this process into `.control` below the unit, because the unit's own group has groups.
    let own = process::cgroup(std::process::id()).ok().flatten().unwrap_or_default();
    let unit = if own.ends_with(".control") { own.parent().unwrap_or(&own) } else { &own };
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
