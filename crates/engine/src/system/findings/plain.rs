//! Services and tasks whose units are not what their records say, and units of those that are gone.

use super::{Found, Mend, names_in};
use crate::Engine;
use crate::error::Error;
use crate::plain::UNIT_MAX;
use std::collections::BTreeSet;
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::{service, task};

impl Engine {
    pub(super) fn plain_findings(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let services = self.service_names().unwrap_or_default();
        let tasks = self.task_names().unwrap_or_default();
        for name in services.iter().filter(|name| !self.is_name_busy(name)) {
            match self.service_spec(name) {
                Ok(spec) => {
                    let has_environment = self.service_environment(&spec.name).exists();
                    let text = self.rendered_service(&spec, has_environment);
                    found.extend(self.unit_is_not(name, &[(spec.unit(), text)]));
                }
                Err(e) => found.push(unreadable(name, &e)),
            }
        }
        for name in tasks.iter().filter(|name| !self.is_name_busy(name)) {
            let texts = self
                .task_spec(name)
                .and_then(|spec| self.rendered_task(&spec, self.task_environment(name).exists()));
            match texts {
                Ok([of_service, of_timer]) => {
                    let units = [
                        (task::unit::service(name), of_service),
                        (task::unit::timer(name), of_timer),
                    ];
                    found.extend(self.unit_is_not(name, &units));
                }
                Err(e) => found.push(unreadable(name, &e)),
            }
        }
        let known: BTreeSet<Name> = services.into_iter().chain(tasks).collect();
        found.extend(self.units_of_none(&known));
        found
    }

    /// What of these units is not as its record says.
    fn unit_is_not(&self, name: &Name, units: &[(String, String)]) -> Option<Found> {
        units.iter().find_map(|(unit, text)| {
            let path = self.paths().units.join(unit);
            let link = self.paths().unit_links().join(unit);
            let why = match files::read_text(&path, UNIT_MAX) {
                Ok(found) if found != *text => "it isn't what this Volt would write",
                Ok(_) if link.symlink_metadata().is_err() => "the link to it is missing",
                Ok(_) => return None,
                Err(e) if e.is_not_found() => "the unit is missing",
                Err(_) => return None,
            };
            Some(Found::path(&path, why, Mend::Settle(name.clone())))
        })
    }

    /// Links to units of services and tasks that are gone.
    fn units_of_none(&self, known: &BTreeSet<Name>) -> Vec<Found> {
        let links = self.paths().unit_links();
        let owner = |file: &str| {
            let own = || file.strip_suffix(".service")?.parse().ok();
            task::unit::task_of(file).or_else(|| own().filter(|name| !service::is_reserved(name)))
        };
        names_in(&links)
            .into_iter()
            .filter_map(|file| Some((owner(&file)?, links.join(file))))
            .filter(|(name, _)| !known.contains(name) && !self.is_name_busy(name))
            .map(|(name, path)| {
                let why = format!("{name} is gone, what systemd knows of it is not");
                Found::path(&path, why, Mend::Settle(name))
            })
            .collect()
    }
}

/// A record that can't be read; of one that is gone what is left can go too.
fn unreadable(name: &Name, error: &Error) -> Found {
    let mend = match error.kind {
        ErrorKind::NotFound => Mend::Settle(name.clone()),
        _ => Mend::Nothing,
    };
    Found::new(name, error.chain().join(": "), mend)
}
