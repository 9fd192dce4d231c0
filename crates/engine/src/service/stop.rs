//! Stopping services.

use super::View;
use crate::Engine;
use crate::error::Result;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use volt_host::systemd::{JobKind, Whom};
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

    /// The same, without looking at it afterwards; what has not ended within `timeout` is killed.
    pub(crate) fn bring_service_down(
        &self,
        target: &Target,
        timeout: Option<Duration>,
    ) -> Result<()> {
        let _lock = self.lock_service(target)?;
        let unit = self.service_unit(target)?;
        self.thaw_unit(&unit);
        let Some(timeout) = timeout else { return self.plain_job(JobKind::Stop, &unit) };
        std::thread::scope(|scope| {
            let (stopped, waits) = channel::<()>();
            let unit = &unit;
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
