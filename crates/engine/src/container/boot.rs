//! Whether a container comes up at the next boot, where systemd started or stopped it without Volt: its units call this, so that
//! `systemctl start` and `stop` say the same as Volt's own verbs.

use crate::Engine;
use crate::error::Result;
use serde::Deserialize;
use volt_host::command::Command;
use volt_host::files;
use volt_model::container::Spec;
use volt_model::name::Name;
use volt_model::restart::Restart;

/// What the relay wrote of how the run ended, as far as it matters here.
#[derive(Deserialize)]
struct RelayExit {
    /// Whether systemd had asked for the end.
    #[serde(default)]
    asked: bool,
}

/// How it came that a run is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Down<'a> {
    /// Its process saw its end and has written it down.
    Ended,
    /// Its process was killed; systemd's result.
    Killed(&'a str),
    /// What was prepared for it is needed no more.
    Unneeded,
}

impl Engine {
    /// To be called when a run begins: what was started comes up at boot, if it is one that does.
    pub(super) fn came_up(&self, name: &Name) -> Result<()> {
        let spec = self.spec(name)?;
        if spec.restart.at_boot() && !self.starts_at_boot(name) {
            self.start_at_boot(name, true)?;
        }
        Ok(())
    }

    /// To be called when a run is over, before it is wound up: what was stopped by hand doesn't come up at boot, but for one that
    /// always does. The host's own shutdown is nobody's hand.
    pub(super) fn went_down(&self, name: &Name, how: Down<'_>) -> Result<()> {
        // It may have removed itself.
        let Ok(spec) = self.spec(name) else { return Ok(()) };
        if self.starts_at_boot(name) && self.was_stopped(&spec, how) && !host_goes_down() {
            self.start_at_boot(name, false)?;
        }
        Ok(())
    }

    fn was_stopped(&self, spec: &Spec, how: Down<'_>) -> bool {
        let stays_down = matches!(spec.restart, Restart::UnlessStopped | Restart::OnFailure(_));
        stays_down
            && match how {
                Down::Ended => {
                    let exit = self.paths().container_run(&spec.name).join("exit");
                    files::read_json::<RelayExit>(&exit, 1 << 16).is_ok_and(|exit| exit.asked)
                }
                // Only a stop may take too long and end the tries.
                Down::Killed(result) => result == "timeout",
                // One that is always started again was stopped; the other may have ended well by itself.
                Down::Unneeded => spec.restart == Restart::UnlessStopped,
            }
    }
}

/// Whether the host is shutting down. `systemctl` asks PID 1 itself, so the answer comes when the bus is gone too.
fn host_goes_down() -> bool {
    let state = Command::new("systemctl").arg("is-system-running").output_any_status();
    state.is_ok_and(|state| state.stdout.starts_with(b"stopping"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::{engine, spec, write_record};

    #[test]
    fn what_is_stopped_by_hand_stays_down_but_for_what_always_comes_up() {
        let (_dir, engine) = engine();
        for (restart, how, asked, stays) in [
            (Restart::Always, Down::Ended, true, true),
            (Restart::UnlessStopped, Down::Ended, true, false),
            (Restart::UnlessStopped, Down::Ended, false, true),
            (Restart::UnlessStopped, Down::Unneeded, false, false),
            (Restart::UnlessStopped, Down::Killed("timeout"), false, false),
            (Restart::OnFailure(None), Down::Ended, true, false),
            (Restart::OnFailure(None), Down::Ended, false, true),
            (Restart::OnFailure(None), Down::Unneeded, false, true),
            (Restart::OnFailure(Some(3)), Down::Killed("start-limit-hit"), false, true),
        ] {
            let web = Spec { restart, ..spec("web") };
            write_record(&engine, &web);
            let run = engine.paths().container_run(&web.name);
            files::create_dirs(&run, 0o755).unwrap();
            std::fs::write(run.join("exit"), format!(r#"{{"code":0,"asked":{asked}}}"#)).unwrap();
            engine.came_up(&web.name).unwrap();
            assert!(engine.starts_at_boot(&web.name), "{restart}");
            engine.went_down(&web.name, how).unwrap();
            assert_eq!(engine.starts_at_boot(&web.name), stays, "{restart} {how:?} {asked}");
        }
        write_record(&engine, &spec("once"));
        engine.came_up(&spec("once").name).unwrap();
        assert!(!engine.starts_at_boot(&spec("once").name));
    }
}
