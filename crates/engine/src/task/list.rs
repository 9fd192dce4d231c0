//! Looking at tasks.

use super::View;
use crate::Engine;
use crate::error::Result;
use crate::plain::{group_of, is_frozen};
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};
use volt_host::cgroup::Cgroup;
use volt_host::process;
use volt_host::systemd::UnitSummary;
use volt_model::name::Name;
use volt_model::state::State;
use volt_model::task::{Spec, unit};

impl Engine {
    /// Lists tasks, sorted by name.
    ///
    /// # Errors
    /// When the records or systemd can't be read.
    pub fn task_list(&self) -> Result<Vec<View>> {
        self.listed_tasks(self.task_specs()?)
    }

    /// Shows one task.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn task_inspect(&self, name: &Name) -> Result<View> {
        self.task_view(self.task_spec(name)?)
    }

    pub(super) fn task_view(&self, spec: Spec) -> Result<View> {
        Ok(self.listed_tasks(vec![spec])?.remove(0))
    }

    /// The tasks of these specs. One call to systemd, and two more for each whose timer or run is up.
    pub(crate) fn listed_tasks(&self, specs: Vec<Spec>) -> Result<Vec<View>> {
        let mut loaded: HashMap<String, UnitSummary> = HashMap::new();
        if !specs.is_empty() && self.can_use_systemd_to_look() {
            let found = self.systemd().list_units(&["volt-task-*.service", "volt-task-*.timer"])?;
            loaded.extend(found.into_iter().map(|unit| (unit.name.clone(), unit)));
        }
        specs.into_iter().map(|spec| self.seen(spec, &loaded)).collect()
    }

    fn seen(&self, spec: Spec, loaded: &HashMap<String, UnitSummary>) -> Result<View> {
        let (service, timer) = (unit::service(&spec.name), unit::timer(&spec.name));
        let state = loaded.get(&service).map_or(State::Stopped, |unit| {
            let frozen = is_frozen(&group_of(&unit.name));
            match State::from_systemd(unit.active.word(), &unit.sub, frozen) {
                // A run is on its way up until it has ended.
                State::Starting if frozen => State::Frozen,
                State::Starting => State::Running,
                state => state,
            }
        });
        let started = match state.is_alive() {
            true => self.systemd().unit_status(&service)?.main_started,
            false => None,
        };
        let up = loaded.get(&timer).is_some_and(|unit| unit.active.is_up());
        let last = self.task_runs(&spec.name)?.pop();
        Ok(View {
            state,
            enabled: self
                .paths()
                .units
                .join("timers.target.wants")
                .join(&timer)
                .symlink_metadata()
                .is_ok(),
            next: if up { self.next_elapse(&timer)? } else { None },
            started: started.and_then(|time| Timestamp::try_from(time).ok()),
            last,
            spec,
        })
    }

    /// When a timer elapses next.
    fn next_elapse(&self, timer: &str) -> Result<Option<Timestamp>> {
        let names = ["NextElapseUSecRealtime", "NextElapseUSecMonotonic"];
        let all = self.systemd().unit_properties(timer, &names)?;
        let since_boot =
            all.number(names[1]).filter(|micros| *micros > 0).map(Duration::from_micros);
        let monotonic = since_boot
            .and_then(|at| SystemTime::now().checked_add(at.saturating_sub(process::monotonic())));
        let next = [all.time(names[0]), monotonic].into_iter().flatten().min();
        Ok(next.and_then(|time| Timestamp::try_from(time).ok()))
    }

    /// Holds the processes of a run still, or lets them go on: systemd itself does that only with what is up.
    pub(crate) fn freeze_task(&self, name: &Name, frozen: bool) -> Result<()> {
        let group = Cgroup::of_unit(&group_of(&unit::service(name)))?;
        if frozen { group.freeze(FREEZE_LIMIT) } else { group.thaw() }?;
        // What it runs in a container is in the container's unit.
        let inside = unit::container(name);
        if self.task_spec(name)?.image.is_none() || !self.container_exists(&inside) {
            return Ok(());
        }
        let spec = self.spec(&inside)?;
        let backend = self.backend_of(&spec);
        if !frozen {
            return backend.thaw(self, &spec);
        }
        // Both or neither stand still.
        backend.freeze(self, &spec).inspect_err(|_| drop(group.thaw()))
    }

    /// Lets a run go on that is to be stopped: what is frozen can't heed a signal.
    pub(crate) fn thaw_task(&self, name: &Name) {
        if is_frozen(&group_of(&unit::service(name))) {
            drop(self.freeze_task(name, false));
        }
    }
}

/// How long the processes of a run may take to stand still.
const FREEZE_LIMIT: Duration = Duration::from_secs(10);
