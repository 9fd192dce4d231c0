//! What is common to workloads of every kind, and to the units of the host: lists, verbs, logs, load.
//!
//! A name means a workload of Volt, which is a container, a service or a task; a full unit name a unit of the host.

mod freeze;
mod inspect;
mod list;
pub(crate) mod log_file;
mod logs;
mod restart;
mod start;
mod stop;
mod thaw;
mod top;

pub use inspect::Details;
pub(crate) use logs::{Each, Listener};
pub use logs::{LogLine, Query};
pub use top::Usage;
pub(crate) use top::{usage_of_tree, usage_of_unit};

use crate::Engine;
use crate::error::{Error, Result};
use crate::plain::is_frozen;
use crate::{container, service, task};
use jiff::Timestamp;
use std::collections::BTreeMap;
use volt_compose::launch::{RUN, STACK};
use volt_host::systemd::{JobKind, UnitStatus};
use volt_model::container::Exit;
use volt_model::health::Status;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::State;

/// A workload, or a unit of the host, as `ps` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is called.
    pub name: String,
    /// `container`, `service`, `task`, or `unit` for a unit of the host.
    pub kind: &'static str,
    /// In plain words.
    pub state: State,
    /// The image, where it has one.
    pub image: Option<ImageRef>,
    /// The command or description.
    pub command: String,
    /// Why no more is known of it, where that is so.
    pub problem: Option<String>,
    /// Its unit.
    pub unit: Option<String>,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it last began to run.
    pub started: Option<Timestamp>,
    /// Whether it is well, where that is looked at.
    pub health: Option<Status>,
    /// How its last run ended.
    pub exit: Option<Exit>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

impl From<container::View> for View {
    fn from(view: container::View) -> Self {
        let unit = view.unit();
        let spec = view.spec;
        let command =
            if spec.command.is_empty() { "(boot)".to_owned() } else { spec.command.join(" ") };
        Self {
            name: spec.name.to_string(),
            kind: "container",
            state: view.state,
            image: Some(spec.image),
            command,
            problem: None,
            unit,
            created: Some(spec.created),
            started: view.started,
            health: view.health.map(|state| state.status),
            exit: view.exit,
            labels: spec.labels,
        }
    }
}

impl From<service::View> for View {
    fn from(view: service::View) -> Self {
        let Some(spec) = view.spec else {
            return Self {
                kind: "unit",
                ..Self::of_unit(view.unit, view.state, view.description, view.started)
            };
        };
        Self {
            name: spec.name.to_string(),
            kind: "service",
            command: spec.program.exec.join(" "),
            created: Some(spec.created),
            health: view.health,
            labels: spec.labels,
            ..Self::of_unit(view.unit, view.state, view.description, view.started)
        }
    }
}

impl From<task::View> for View {
    fn from(view: task::View) -> Self {
        let spec = view.spec;
        let last = view.last.map(|run| Exit {
            code: run.code.unwrap_or(1),
            reason: run.result,
            finished: run.finished,
        });
        Self {
            name: spec.name.to_string(),
            kind: "task",
            image: spec.image.clone(),
            command: spec.program.exec.join(" "),
            created: Some(spec.created),
            exit: last.filter(|_| !view.state.is_alive()),
            ..Self::of_unit(spec.unit(), view.state, String::new(), view.started)
        }
        .labelled(spec.labels)
    }
}

impl View {
    /// The stack that it belongs to.
    #[must_use]
    pub fn stack(&self) -> Option<&str> {
        self.labels.get(STACK).or_else(|| self.labels.get(RUN)).map(String::as_str)
    }

    /// What every unit has.
    fn of_unit(
        unit: String,
        state: State,
        description: String,
        started: Option<Timestamp>,
    ) -> Self {
        Self {
            name: unit.clone(),
            kind: "unit",
            state,
            image: None,
            command: description,
            problem: None,
            unit: Some(unit),
            created: None,
            started,
            health: None,
            exit: None,
            labels: BTreeMap::new(),
        }
    }

    fn labelled(self, labels: BTreeMap<String, String>) -> Self {
        Self { labels, ..self }
    }
}

/// What a name of Volt's is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A container, or nothing at all.
    Container,
    /// A service.
    Service,
    /// A task.
    Task,
}

impl Kind {
    /// Its word, as in commands.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Service => "service",
            Self::Task => "task",
        }
    }
}

impl Engine {
    /// What is called so; a container where nothing is.
    pub(crate) fn kind_of(&self, name: &Name) -> Kind {
        if self.service_exists(name) {
            return Kind::Service;
        }
        if self.task_exists(name) { Kind::Task } else { Kind::Container }
    }

    /// A unit of the host as it is at this moment.
    fn unit_view(&self, unit: &str) -> Result<View> {
        let status = self.unit_status(unit)?;
        let names = ["Description"];
        let description = self.systemd().unit_properties(unit, &names)?.text("Description");
        let frozen = is_frozen(&status.control_group);
        let state = State::from_systemd(status.active.word(), &status.sub, frozen);
        let started = status.active_since.and_then(|time| Timestamp::try_from(time).ok());
        Ok(View::of_unit(unit.to_owned(), state, description, started))
    }

    pub(crate) fn unit_status(&self, unit: &str) -> Result<UnitStatus> {
        let status = self.systemd().unit_status(unit)?;
        if status.load == "not-found" {
            return Err(Error::new(ErrorKind::NotFound, format!("There is no unit {unit}"))
                .about(&unit)
                .hinted("`systemctl list-units --all` lists those of this host"));
        }
        Ok(status)
    }

    /// Runs a job on a unit of the host and shows what came of it.
    fn unit_job(&self, job: JobKind, unit: &str) -> Result<View> {
        drop(self.unit_status(unit)?);
        let limit = self.job_limit(job, unit)?;
        self.systemd().run_job(job, unit, limit).map_err(|e| {
            Error::from(e)
                .about(&unit)
                .hinted(format!("See `volt logs {unit}` or `systemctl status {unit}`"))
        })?;
        self.unit_view(unit)
    }
}

#[cfg(test)]
mod tests;
