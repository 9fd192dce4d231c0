//! Gates that open when a workload has done its work: units that others require and come after, `volt-completed@NAME.service`,
//! `volt-service-completed@NAME.service` and `volt-task-completed@NAME.service`.
//!
//! How a container ended is in its record. A service that somebody waits for writes it down (`service/ended.rs`). Of a task the history
//! tells; it does its work when its time comes, so whoever waits for one that has not done it has it run.

use super::make_folder;
use crate::Engine;
use crate::error::{Error, Result};
use crate::workload::Kind;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use volt_host::systemd::ActiveState;
use volt_host::watch::FolderWatch;
use volt_model::container::{Exit, Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};
use volt_model::service::unit as service_unit;
use volt_model::state::State;
use volt_model::task::{Run, unit as task_unit};

/// How often it is asked whether the workload runs at all.
const LOOK: Duration = Duration::from_secs(1);
/// What is up before any workload can be.
const AT_BOOT: &str = "sysinit.target";

impl Engine {
    /// Returns when the run of a workload has ended with 0.
    ///
    /// # Errors
    /// `General` where it has not begun, or ended otherwise.
    pub fn gate_completed(&self, name: &Name) -> Result<()> {
        self.await_completed(name, &AtomicBool::new(false))
    }

    /// The same for somebody who may leave: `gone` is set then.
    pub(crate) fn await_completed(&self, name: &Name, gone: &AtomicBool) -> Result<()> {
        let folder = self.folder_of_ends(name);
        match self.kind_of(name) {
            // Whoever has none is there no more.
            Kind::Container => drop(self.spec(name)?),
            Kind::Service | Kind::Task => make_folder(&folder)?,
        }
        let watch = FolderWatch::new(&[&folder])?;
        let since = match self.kind_of(name) {
            Kind::Task if self.has_completed(name)? => return Ok(()),
            // It is down, or what it can't do without is not so far.
            Kind::Task if !self.is_task_up(name)? => {
                let title = format!("The task {name} is not up, so it is not run");
                return Err(Error::new(ErrorKind::General, title)
                    .about(name)
                    .hinted(format!("See `systemctl status {}`", task_unit::timer(name))));
            }
            Kind::Task => {
                let now = Timestamp::now();
                self.begin_run(name)?;
                Some(now)
            }
            Kind::Service => {
                // systemd may know it from before anybody waited for it.
                self.read_if_changed(&service_unit::name(name))?;
                None
            }
            Kind::Container => None,
        };
        while !gone.load(Ordering::Relaxed) {
            let state = self.state_of_work(name)?;
            if !state.is_alive() {
                return self.completed(name, state, since);
            }
            // The end is written down just before the unit ends.
            drop(watch.next(LOOK)?);
        }
        Err(Error::new(ErrorKind::Interrupted, "Nobody waits for it any more").about(name))
    }

    /// Where it is written down how a workload ended.
    fn folder_of_ends(&self, name: &Name) -> PathBuf {
        match self.kind_of(name) {
            Kind::Container => self.paths().container(name),
            Kind::Service => self.service_ends(),
            Kind::Task => self.paths().task(name),
        }
    }

    /// How that stands which is to end: of a task the run, and not the timer.
    fn state_of_work(&self, name: &Name) -> Result<State> {
        match self.kind_of(name) {
            Kind::Container => Ok(self.run_state(&self.spec(name)?)?.state),
            Kind::Service => Ok(self.service_status(&Target::Workload(name.clone()))?.state),
            Kind::Task => {
                let run = self.systemd().unit_status(&task_unit::service(name))?;
                Ok(State::from_systemd(run.active.word(), &run.sub, false))
            }
        }
    }

    /// Whether the last run of a workload is over and has ended well.
    pub(crate) fn has_completed(&self, name: &Name) -> Result<bool> {
        let state = self.state_of_work(name)?;
        Ok(!state.is_alive() && self.completed(name, state, None).is_ok())
    }

    /// Whether its gate would have a task run, which has not run since the boot, or since it was changed.
    pub(crate) fn would_be_run(&self, name: &Name) -> Result<bool> {
        let is_task = self.kind_of(name) == Kind::Task;
        Ok(is_task && self.is_task_up(name)? && self.last_task_run(name, None)?.is_none())
    }

    /// Whether the times of a task count.
    fn is_task_up(&self, name: &Name) -> Result<bool> {
        Ok(self.systemd().unit_status(&task_unit::timer(name))?.active.is_up())
    }

    /// Whether the run that is over has ended well; it is one that began after `since`, where that is said.
    fn completed(&self, name: &Name, state: State, since: Option<Timestamp>) -> Result<()> {
        let outcome = match self.kind_of(name) {
            Kind::Container => self.container_completed(&self.spec(name)?, state)?,
            Kind::Service => self.service_completed(name)?,
            Kind::Task => self.task_completed(name, since)?,
        };
        outcome.map_err(|why| {
            let title =
                format!("The {} {name} has not completed: {why}", self.kind_of(name).as_str());
            Error::new(ErrorKind::General, title)
                .about(name)
                .hinted(format!("See `volt logs {name}`"))
        })
    }

    fn container_completed(&self, spec: &Spec, state: State) -> Result<Outcome> {
        let name = &spec.name;
        let prepare = self.systemd().unit_status(&unit::prepare_name(name))?;
        let begun = self.began(&spec.unit())?;
        // A run that was never begun has left no end, and that of an earlier one says nothing.
        let end =
            self.last_exit(name).filter(|end| begun.is_some_and(|begun| end.finished >= begun));
        Ok(match end {
            _ if prepare.active == ActiveState::Failed => Err("it could not be prepared".into()),
            Some(Exit { code: 0, .. }) if state == State::Stopped => Ok(()),
            Some(end) => Err(format!("{}, exit code {}", end.reason, end.code)),
            None => Err("it has not run".into()),
        })
    }

    fn service_completed(&self, name: &Name) -> Result<Outcome> {
        let begun = self.began(&service_unit::name(name))?;
        let end =
            self.service_end(name).filter(|end| begun.is_some_and(|begun| end.finished >= begun));
        Ok(match end {
            Some(end) if end.is_good() => Ok(()),
            Some(end) => Err(said(&end.result, end.code)),
            None => Err("it has not run".into()),
        })
    }

    fn task_completed(&self, name: &Name, since: Option<Timestamp>) -> Result<Outcome> {
        Ok(match self.last_task_run(name, since)? {
            Some(run) if run.succeeded() => Ok(()),
            Some(Run { result, code, .. }) => Err(said(&result, code)),
            None => Err("it has not run".into()),
        })
    }

    /// The last run of a task as it is now that is over, since the boot.
    fn last_task_run(&self, name: &Name, since: Option<Timestamp>) -> Result<Option<Run>> {
        let boot = self.systemd().unit_status(AT_BOOT)?.active_since.and_then(in_time);
        let made = self.task_spec(name)?.created;
        let since = since.max(boot).map_or(made, |since| since.max(made));
        Ok(self.task_runs(name)?.pop().filter(|run| run.finished >= since))
    }

    /// When the last run of a unit began. systemd forgets a unit that has ended and that nobody asks for: then it was since the boot, or
    /// never.
    fn began(&self, unit: &str) -> Result<Option<Timestamp>> {
        let begun = match self.systemd().unit_status(unit)?.main_started {
            None => self.systemd().unit_status(AT_BOOT)?.active_since,
            begun => begun,
        };
        Ok(begun.and_then(in_time))
    }
}

/// Whether work was done, and why not.
type Outcome = std::result::Result<(), String>;

fn in_time(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

fn said(result: &str, code: Option<i32>) -> String {
    code.map_or_else(|| result.to_owned(), |code| format!("{result}, exit code {code}"))
}
