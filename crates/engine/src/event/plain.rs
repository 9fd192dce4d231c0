//! Services and tasks as systemd has them, for the stream of events.

use crate::Engine;
use crate::error::Result;
use crate::plain::{group_of, is_frozen};
use jiff::Timestamp;
use std::collections::HashMap;
use volt_host::systemd::UnitSummary;
use volt_model::container::{Exit, unit};
use volt_model::name::{Name, Target};
use volt_model::service;
use volt_model::state::State;
use volt_model::task;

/// The workload whose main unit this is, by kind and name. What is called like a service may be none of Volt's.
pub(super) fn workload_of(unit: &str) -> Option<(&'static str, Name)> {
    if let Some(name) = unit::container_of(unit) {
        return Some(("container", name));
    }
    let stem = unit.strip_suffix(".service")?;
    if let Some(task) = task::unit::task_of(unit) {
        return Some(("task", task));
    }
    let name: Name = stem.parse().ok()?;
    (!service::is_reserved(&name)).then_some(("service", name))
}

/// What a unit's state is that of a workload of this kind: a run of a task is on its way up until it has ended.
pub(super) fn state_of(kind: &str, state: State) -> State {
    if kind == "task" && state == State::Starting { State::Running } else { state }
}

impl Engine {
    /// The states of all services and tasks. One call to systemd where there are any.
    pub(super) fn plain_states(&self) -> Result<Vec<(&'static str, Name, State)>> {
        let services = self.service_names()?.into_iter().map(|name| ("service", name));
        let tasks = self.task_names()?.into_iter().map(|name| ("task", name));
        let all: Vec<(&'static str, Name, String)> = services
            .chain(tasks)
            .map(|(kind, name)| {
                let unit = match kind {
                    "task" => task::unit::service(&name),
                    _ => service::unit::name(&name),
                };
                (kind, name, unit)
            })
            .collect();
        if all.is_empty() || !self.can_use_systemd_to_look() {
            return Ok(Vec::new());
        }
        let patterns: Vec<&str> = all.iter().map(|(_, _, unit)| unit.as_str()).collect();
        let loaded: HashMap<String, UnitSummary> = self
            .systemd()
            .list_units(&patterns)?
            .into_iter()
            .map(|unit| (unit.name.clone(), unit))
            .collect();
        let state = |kind: &str, unit: &str| {
            loaded.get(unit).map_or(State::Stopped, |loaded| {
                let frozen = is_frozen(&group_of(unit));
                match State::from_systemd(loaded.active.word(), &loaded.sub, frozen) {
                    State::Starting if frozen => State::Frozen,
                    state => state_of(kind, state),
                }
            })
        };
        Ok(all.into_iter().map(|(kind, name, unit)| (kind, name, state(kind, &unit))).collect())
    }

    /// How a service's last run ended, as systemd still knows it.
    pub(super) fn service_exit(&self, name: &Name) -> Option<Exit> {
        let view = self.service_status(&Target::Workload(name.clone())).ok()?;
        let code = view.code?;
        Some(Exit { code, reason: view.result, finished: Timestamp::now() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_whose_they_are() {
        let whose = |unit: &str| workload_of(unit).map(|(kind, name)| format!("{kind} {name}"));
        for (unit, expected) in [
            ("volt-container@web.service", Some("container web")),
            ("volt-task-backup.service", Some("task backup")),
            ("volt-task-backup.timer", None),
            ("mail.service", Some("service mail")),
            ("volt-health.service", None),
            ("dbus-:1.2-x.service", None),
            ("x.socket", None),
        ] {
            assert_eq!(whose(unit).as_deref(), expected, "{unit}");
        }
        assert_eq!(state_of("task", State::Starting), State::Running);
        assert_eq!(state_of("service", State::Starting), State::Starting);
    }
}
