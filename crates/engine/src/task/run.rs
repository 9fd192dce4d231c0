//! Running a task at once.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::workload::{Each, LogLine};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use volt_host::journal;
use volt_host::systemd::JobKind;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::task::{Run, unit};

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long systemd may take to begin with it.
const BEGIN: Duration = Duration::from_secs(30);

impl Engine {
    /// Starts a run of a task and returns at once. One that is under way is left alone.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_start(&self, name: &Name) -> Result<View> {
        let _lock = self.lock_name(name)?;
        let spec = self.task_spec(name)?;
        self.begin_run(name)?;
        self.task_view(spec)
    }

    /// Ends the run that is under way, if one is.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_stop(&self, name: &Name) -> Result<View> {
        let _lock = self.lock_name(name)?;
        let spec = self.task_spec(name)?;
        self.thaw_task(name);
        self.plain_job(JobKind::Stop, &unit::service(name))?;
        self.task_view(spec)
    }

    /// Runs a task now, hands over what it writes, and says how the last try ended. It goes on when `gone` is set.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` while a run of it is under way.
    pub fn task_run(&self, name: &Name, each: Each<'_>, gone: &AtomicBool) -> Result<Option<Run>> {
        let since = Timestamp::now();
        let before = {
            let _lock = self.lock_name(name)?;
            let view = self.task_inspect(name)?;
            if view.state.is_alive() {
                let title = format!("A run of the task {name} is under way");
                return Err(Error::new(ErrorKind::Conflict, title)
                    .about(name)
                    .hinted(format!("Follow it with `volt task logs -f {name}`")));
            }
            self.begin_run(name)?;
            view.last
        };
        let mut shown = Shown { since, cursor: String::new() };
        while !gone.load(Ordering::Relaxed) {
            let over = !self.task_inspect(name)?.state.is_alive();
            if over {
                journal::sync();
            }
            let more = shown.rest(&unit::service(name), each);
            if over || !more? {
                break;
            }
            std::thread::sleep(LOOK * 4);
        }
        let last = self.task_runs(name)?.pop();
        Ok(last.filter(|run| before.is_none_or(|before| before != *run)))
    }

    /// Has systemd begin with a run.
    pub(crate) fn begin_run(&self, name: &Name) -> Result<()> {
        self.require_units()?;
        let service = unit::service(name);
        if self.systemd().unit_status(&service)?.active.is_up() {
            return Ok(());
        }
        drop(self.systemd().reset_failed(&service));
        self.systemd()
            .queue_job(JobKind::Start, &service)
            .map_err(|e| Error::from(e).about(name))?;
        let deadline = Instant::now() + BEGIN;
        while Instant::now() < deadline {
            // Its job ends with it; one that was quick may be forgotten already.
            let listed = self.systemd().list_units(&[&service])?;
            if listed.first().is_none_or(|unit| unit.job.is_none() || unit.active.is_up()) {
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        Err(Error::new(ErrorKind::Timeout, format!("systemd does not begin with the task {name}"))
            .about(name))
    }
}

/// How far the output of a run was shown.
struct Shown {
    since: Timestamp,
    cursor: String,
}

impl Shown {
    /// Hands over what the run has written since. Whether more is wanted.
    fn rest(&mut self, unit: &str, each: Each<'_>) -> Result<bool> {
        let query =
            journal::Query::new().field("_SYSTEMD_UNIT", unit).field("_TRANSPORT", "stdout");
        let query = match self.cursor.as_str() {
            "" => query.since(self.since.into()),
            cursor => query.after(cursor),
        };
        for entry in query.read()? {
            let entry = entry?;
            self.cursor.clone_from(&entry.cursor);
            let line = LogLine {
                time: Timestamp::try_from(entry.time).unwrap_or_default(),
                stream: "stdout",
                priority: entry.priority.unwrap_or(6).min(7),
                identifier: entry.identifier.unwrap_or_default(),
                message: String::from_utf8_lossy(&entry.message).into_owned(),
            };
            if !each(line) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
