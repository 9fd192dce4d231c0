//! What is kept of a service on disk, and its unit, which follows from that.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::PathBuf;
use volt_host::files::{self, Lock};
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};
use volt_model::service::Spec;
use volt_model::service::unit::{self, Files};

/// The most a record's file may hold, in bytes.
const MAX: usize = 4 << 20;

impl Engine {
    /// Whether there is a service of Volt's of that name.
    pub(crate) fn service_exists(&self, name: &Name) -> bool {
        self.service_config(name).exists()
    }

    fn service_config(&self, name: &Name) -> PathBuf {
        self.paths().service(name).join("config.json")
    }

    pub(crate) fn service_environment(&self, name: &Name) -> PathBuf {
        self.paths().service(name).join("environment")
    }

    /// The spec of a service.
    pub(crate) fn service_spec(&self, name: &Name) -> Result<Spec> {
        match files::read_json::<Spec>(&self.service_config(name), MAX) {
            Ok(spec) if spec.version == Spec::VERSION => Ok(spec),
            Ok(spec) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "The service {name} was written by another version of Volt (format {})",
                    spec.version
                ),
            )
            .about(name)),
            Err(e) if e.is_not_found() => Err(self.no_service(name)),
            Err(e) => {
                let title = format!("The record of the service {name} can't be read");
                Err(Error::new(ErrorKind::InvalidConfig, title)
                    .about(name)
                    .because(e)
                    .hinted(format!("Give it up: volt service delete --force {name}")))
            }
        }
    }

    /// The host may well have one that is called so.
    fn no_service(&self, name: &Name) -> Error {
        let unit = unit::name(name);
        let of_host = self.can_use_systemd_to_look()
            && self.systemd().unit_status(&unit).is_ok_and(|status| status.load != "not-found");
        let hint = if of_host {
            format!("The host has {unit}: name it so")
        } else {
            "`volt service list` lists Volt's own, with --all those of the host too".to_owned()
        };
        Error::not_found("service", name).hinted(hint)
    }

    /// The names of all services of Volt's, sorted.
    pub(crate) fn service_names(&self) -> Result<Vec<Name>> {
        names_below(&self.paths().services())
    }

    /// The specs of all services of Volt's, sorted by name. One that can't be read is told in the log.
    pub(crate) fn service_specs(&self) -> Result<Vec<Spec>> {
        let read = |name: &Name| {
            self.service_spec(name)
                .inspect_err(|e| tracing::warn!(%name, error = %e.chain().join(": "), "a service's record can't be read"))
                .ok()
        };
        Ok(self.service_names()?.iter().filter_map(read).collect())
    }

    /// Locks a service for a change; one of the host's is systemd's alone.
    pub(crate) fn lock_service(&self, target: &Target) -> Result<Option<Lock>> {
        match target {
            Target::Workload(name) => self.lock_name(name).map(Some),
            Target::Unit(_) => Ok(None),
        }
    }

    /// The unit that is meant.
    pub(crate) fn service_unit(&self, target: &Target) -> Result<String> {
        match target {
            Target::Workload(name) if self.service_exists(name) => Ok(unit::name(name)),
            Target::Workload(name) => Err(self.no_service(name)),
            // Units are the host's: a state below another root has none.
            Target::Unit(_) if !self.can_use_systemd_to_look() => {
                Err(self.require_units().err().unwrap_or_else(|| Error::not_found("unit", target)))
            }
            Target::Unit(unit) => self.unit_status(unit).map(|_| unit.clone()),
        }
    }

    /// The unit of a service as its record says; `has_environment` where it has variables.
    pub(crate) fn rendered_service(&self, spec: &Spec, has_environment: bool) -> String {
        let (environment, secrets) = (self.service_environment(&spec.name), self.secrets());
        let environment = has_environment.then_some(environment.as_path());
        unit::render(spec, Files { environment, secrets: &secrets })
    }

    /// Makes the unit of a service what its record says, or no unit where it has none.
    pub(crate) fn settle_service(&self, name: &Name) -> Result<()> {
        if self.service_exists(name) {
            let spec = self.service_spec(name)?;
            let text = self.rendered_service(&spec, self.service_environment(name).exists());
            return self.write_plain_unit(&spec.unit(), &text);
        }
        self.remove_plain_unit(&unit::name(name))?;
        // Where a removal broke off the record was the first to go.
        Ok(files::remove_tree(&self.paths().service(name))?)
    }
}

/// The names in a folder of records, sorted; none where it isn't there.
pub(crate) fn names_below(dir: &std::path::Path) -> Result<Vec<Name>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(files::Error::new("read", dir, e).into()),
    };
    let mut names: Vec<Name> =
        entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}
