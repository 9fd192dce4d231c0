//! All workloads.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use volt_model::config::nearest;
use volt_model::container::unit;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::State;

/// The kinds that a filter may name.
const KINDS: [&str; 4] = ["container", "vm", "service", "task"];

impl Engine {
    /// Lists workloads, those of no stack first, then by stack, and by name; without `all` only those that run. One call to systemd, one record read for each.
    ///
    /// # Errors
    /// `Usage` for an unknown kind; when the records or systemd can't be read.
    pub fn workload_list(&self, all: bool, kind: Option<&str>) -> Result<Vec<View>> {
        if let Some(kind) = kind.filter(|kind| !KINDS.contains(kind)) {
            let near = nearest(kind, KINDS).map_or_else(
                || format!("The kinds are {}", KINDS.join(", ")),
                |near| format!("Did you mean `{near}`?"),
            );
            return Err(Error::new(
                ErrorKind::Usage,
                format!("There is no kind of workload `{kind}`"),
            )
            .hinted(near));
        }
        let wanted = |one: &str| kind.is_none_or(|kind| kind == one);
        let mut views: Vec<View> = Vec::new();
        if wanted("container") {
            let (specs, unreadable) = self.records()?;
            views.extend(self.listed(specs, all)?.into_iter().map(View::from));
            views.extend(unreadable.iter().map(|name| self.unreadable(name)));
        }
        if wanted("service") {
            let services = self.listed_services(self.service_specs()?)?;
            views.extend(services.into_iter().map(View::from));
        }
        if wanted("task") {
            views.extend(self.task_list()?.into_iter().map(View::from));
        }
        views.retain(|view| all || view.state.is_alive());
        views.sort_by(|a, b| (a.stack(), &a.name).cmp(&(b.stack(), &b.name)));
        Ok(views)
    }

    /// A container of which only its name is known, and what systemd says.
    fn unreadable(&self, name: &Name) -> View {
        let unit = self.unit_view(&unit::name(name)).ok();
        View {
            name: name.to_string(),
            kind: "container",
            state: unit.as_ref().map_or(State::Stopped, |unit| unit.state),
            image: None,
            command: String::new(),
            problem: Some("its record can't be read, see `volt system check`".to_owned()),
            started: unit.as_ref().and_then(|unit| unit.started),
            unit: unit.and_then(|unit| unit.unit),
            created: None,
            health: None,
            exit: self.last_exit(name),
            labels: BTreeMap::new(),
        }
    }
}
