//! Stopping services, and sending signals to them.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use volt_host::systemd::{JobKind, Whom};
use volt_model::kind::ErrorKind;
use volt_model::name::Target;

const SIGKILL: i32 = 9;

impl Engine {
    /// Stops a service. One that doesn't run is left alone.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn service_stop(&self, target: &Target) -> Result<View> {
        self.bring_service_down(target, None)?;
        self.service_status(target)
    }

    /// Sends signal number `signal` to all processes of a service.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that doesn't run.
    pub fn service_kill(&self, target: &Target, signal: u8) -> Result<View> {
        // Without the name's lock: a signal is wanted most when a stop takes long.
        let unit = self.service_unit(target)?;
        if !self.systemd().unit_status(&unit)?.active.is_up() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The service {target} doesn't run"),
            )
            .about(target)
            .hinted(format!("Start it first: volt service start {target}")));
        }
        self.systemd().kill(&unit, Whom::All, signal.into())?;
        self.service_status(target)
    }

    /// [`Engine::service_stop`], without looking at it afterwards; what has not ended within `timeout` is killed.
    pub(crate) fn bring_service_down(
        &self,
        target: &Target,
        timeout: Option<Duration>,
    ) -> Result<()> {
        let _lock = self.lock_service(target)?;
        self.bring_unit_down(&self.service_unit(target)?, timeout)
    }

    /// The same for whoever holds the name's lock.
    pub(crate) fn bring_unit_down(&self, unit: &str, timeout: Option<Duration>) -> Result<()> {
        self.thaw_unit(unit);
        let Some(timeout) = timeout else { return self.plain_job(JobKind::Stop, unit) };
        std::thread::scope(|scope| {
            let (stopped, waits) = channel::<()>();
            scope.spawn(move || {
                if waits.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout)
                    && let Err(error) = self.systemd().kill(unit, Whom::All, SIGKILL)
                {
                    tracing::warn!(unit, %error, "it did not stop in time and can't be killed");
                }
            });
            let done = self.plain_job(JobKind::Stop, unit);
            drop(stopped);
            done
        })
    }
}
