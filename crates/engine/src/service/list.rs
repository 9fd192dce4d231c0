//! All services.

use super::View;
use crate::Engine;
use crate::error::Result;
use crate::plain::{group_of, is_frozen};
use std::collections::HashMap;
use volt_host::systemd::UnitSummary;
use volt_model::service::Spec;
use volt_model::state::State;

impl Engine {
    /// Lists Volt's services, with `all` those of the host behind them, sorted by name. One call to systemd, and one more for each of
    /// Volt's that runs.
    ///
    /// # Errors
    /// When the records or systemd can't be read.
    pub fn service_list(&self, all: bool) -> Result<Vec<View>> {
        let specs = self.service_specs()?;
        let units: Vec<String> = specs.iter().map(Spec::unit).collect();
        let mut views = self.listed_services(specs)?;
        if all && self.can_use_systemd_to_look() {
            let mut loaded = self.systemd().list_units(&["*.service"])?;
            loaded.retain(|unit| unit.load != "not-found" && !units.contains(&unit.name));
            loaded.sort_by(|a, b| a.name.cmp(&b.name));
            views.extend(loaded.into_iter().map(|unit| view(unit.name.clone(), None, Some(unit))));
        }
        Ok(views)
    }

    /// The services of these specs.
    pub(crate) fn listed_services(&self, specs: Vec<Spec>) -> Result<Vec<View>> {
        let mut loaded: HashMap<String, UnitSummary> = HashMap::new();
        if !specs.is_empty() && self.can_use_systemd_to_look() {
            let units: Vec<String> = specs.iter().map(Spec::unit).collect();
            let patterns: Vec<&str> = units.iter().map(String::as_str).collect();
            let found = self.systemd().list_units(&patterns)?;
            loaded.extend(found.into_iter().map(|unit| (unit.name.clone(), unit)));
        }
        let wants = self.paths().units.join("multi-user.target.wants");
        let mut views = Vec::new();
        for spec in specs {
            let unit = loaded.remove(&spec.unit());
            let mut view = view(spec.name.to_string(), Some(spec), unit);
            let enabled = wants.join(&view.unit).symlink_metadata().is_ok();
            if view.state.is_alive() {
                self.fill_in(&mut view)?;
            }
            view.enabled = if enabled { "enabled" } else { "disabled" }.to_owned();
            views.push(view);
        }
        Ok(views)
    }
}

/// What systemd's list tells of a service.
fn view(name: String, spec: Option<Spec>, listed: Option<UnitSummary>) -> View {
    let unit = spec.as_ref().map_or_else(|| name.clone(), Spec::unit);
    let own = spec.as_ref().and_then(|spec| spec.description.clone());
    let described = listed.as_ref().map(|unit| unit.description.clone());
    let state = listed.map_or(State::Stopped, |listed| {
        let frozen = is_frozen(&group_of(&listed.name));
        State::from_systemd(listed.active.word(), &listed.sub, frozen)
    });
    View {
        name,
        unit,
        description: own.or(described).unwrap_or_default(),
        spec,
        state,
        health: None,
        enabled: String::new(),
        pid: None,
        started: None,
        restarts: 0,
        result: String::new(),
        code: None,
        memory: None,
        tasks: None,
        environment: None,
    }
}
