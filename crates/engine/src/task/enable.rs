//! Whether a task's timer starts it.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::name::Name;
use volt_model::task::unit;

impl Engine {
    /// Lets the timer start the task, now and after every boot.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_enable(&self, name: &Name) -> Result<View> {
        self.require_units()?;
        let _lock = self.lock_name(name)?;
        let spec = self.task_spec(name)?;
        self.task_timer(name, true)?;
        self.task_view(spec)
    }

    /// Lets it start no more runs; one that is under way goes on.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_disable(&self, name: &Name) -> Result<View> {
        self.require_units()?;
        let _lock = self.lock_name(name)?;
        let spec = self.task_spec(name)?;
        self.task_timer(name, false)?;
        self.task_view(spec)
    }

    /// Enables and starts a task's timer, or undoes that.
    pub(super) fn task_timer(&self, name: &Name, on: bool) -> Result<()> {
        let timer = unit::timer(name);
        let done = match on {
            true => self.systemd().enable(&[&timer], Lifetime::Persistent),
            false => self.systemd().disable(&[&timer], Lifetime::Persistent),
        };
        done.map_err(|e| Error::from(e).about(name))?;
        self.plain_job(if on { JobKind::Start } else { JobKind::Stop }, &timer)
    }
}
