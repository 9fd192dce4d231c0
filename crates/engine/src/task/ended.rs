//! What is done when a run of a task has ended, by the run's own unit: it is written down, and tried again or not.

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use std::time::Duration;
use volt_host::systemd::JobKind;
use volt_model::name::Name;
use volt_model::task::{Run, unit};

/// How long systemd is given to heed a job that it was asked for.
const HEED: Duration = Duration::from_millis(100);

/// How a run ended, in the words that systemd gives to `ExecStopPost=`.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// `INVOCATION_ID`.
    pub invocation: String,
    /// `SERVICE_RESULT`.
    pub result: String,
    /// `EXIT_CODE`: `exited`, `killed` or `dumped`; empty where no process of it ran.
    pub code: String,
    /// `EXIT_STATUS`: a number, or the name of a signal without SIG.
    pub status: String,
}

impl Ended {
    /// As a shell has it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.code.as_str() {
            "exited" => self.status.parse().ok(),
            "killed" | "dumped" => {
                volt_model::container::parse_signal(&self.status).ok().map(|n| 128 + i32::from(n))
            }
            _ => None,
        }
    }
}

impl Engine {
    /// To be called by the unit of a run when that has ended. Takes no lock: whoever has the name's may be waiting for this.
    ///
    /// # Errors
    /// When it can't be written down.
    pub fn task_ended(&self, name: &Name, ended: &Ended) -> Result<()> {
        let unit = unit::service(name);
        let status = self.systemd().unit_status(&unit)?;
        let attempt = u32::try_from(status.restarts).unwrap_or(u32::MAX).saturating_add(1);
        let started = status.main_started.and_then(|time| Timestamp::try_from(time).ok());
        let run = Run {
            invocation: ended.invocation.clone(),
            started: started.filter(|_| !ended.code.is_empty()),
            finished: Timestamp::now(),
            attempt,
            result: ended.result.clone(),
            code: ended.exit_code(),
        };
        let failed = !run.succeeded();
        let noted = self.note_run(name, run);
        let Ok(spec) = self.task_spec(name) else { return noted };
        if spec.image.is_some() {
            self.remove_container_of_run(name);
        }
        if failed && spec.retries > 0 && attempt > spec.retries {
            // systemd would go on trying: a stop while the unit goes down forbids that, and leaves it failed.
            self.systemd().queue_job(JobKind::Stop, &unit)?;
            std::thread::sleep(HEED);
        }
        noted
    }

    /// To be called by the unit of a run in a container before it begins.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_begins(&self, name: &Name) -> Result<()> {
        drop(self.task_spec(name)?);
        self.remove_container_of_run(name);
        Ok(())
    }

    /// A run that was killed can't take its container away.
    fn remove_container_of_run(&self, name: &Name) {
        let container = unit::container(name);
        if self.container_exists(&container)
            && let Err(error) = self.container_delete(&container, true)
        {
            tracing::warn!(%container, error = %error.chain().join(": "), "the container of a run can't be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_words_as_exit_codes() {
        for (code, status, expected) in [
            ("exited", "3", Some(3)),
            ("killed", "KILL", Some(137)),
            ("dumped", "SEGV", Some(139)),
            ("", "", None),
        ] {
            let ended = Ended { code: code.into(), status: status.into(), ..Ended::default() };
            assert_eq!(ended.exit_code(), expected, "{code} {status}");
        }
    }
}
