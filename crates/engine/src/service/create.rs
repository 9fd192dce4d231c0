//! Making a service: its record, then its unit.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::intent::Intent;
use crate::plain::{variables, write_secret};
use jiff::Timestamp;
use std::collections::BTreeMap;
use volt_host::files::{self, Publish, Stage};
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};
use volt_model::restart::Restart;
use volt_model::service::{Program, Spec, is_reserved, unit};
use volt_model::unitfile::environment_file;

/// What was asked for, parsed.
#[derive(Clone, Debug)]
pub struct Create {
    /// What to call it.
    pub name: Name,
    /// What it is for.
    pub description: Option<String>,
    /// What is run.
    pub program: Program,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// When it is started again.
    pub restart: Restart,
    /// Seconds between the signal that asks it to end and the kill.
    pub stop_timeout: Option<u32>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Whether it is enabled and started at once.
    pub now: bool,
}

impl Engine {
    /// Makes a service.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that a workload or a unit of the host has, `Usage` for what can't be, `InvalidConfig` for what systemd
    /// would not take, `Dependency` where systemd isn't PID 1. With `now`, the errors of a start: the service stays.
    pub fn service_create(&self, create: Create) -> Result<View> {
        self.require_units()?;
        let now = create.now;
        let environment = variables(&create.env)?;
        let spec = Spec {
            version: Spec::VERSION,
            name: create.name,
            description: create.description,
            program: create.program,
            restart: create.restart,
            stop_timeout: create.stop_timeout.unwrap_or(Spec::STOP_TIMEOUT),
            labels: create.labels,
            created: Timestamp::now(),
        };
        spec.program.validate().map_err(|e| {
            Error::new(ErrorKind::Usage, format!("The service {} can't be so", spec.name))
                .about(&spec.name)
                .because(e)
        })?;
        self.check_program_user(&spec.program)?;
        let _lock = self.lock_name(&spec.name)?;
        self.refuse_name_of_service(&spec.name)?;
        self.make_service(&spec, &environment)?;
        if now {
            self.systemd().enable(&[&spec.unit()], Lifetime::Persistent)?;
            self.plain_job(JobKind::Start, &spec.unit())?;
        }
        self.service_status(&Target::Workload(spec.name))
    }

    fn refuse_name_of_service(&self, name: &Name) -> Result<()> {
        if is_reserved(name) {
            let title = format!("The name {name} is Volt's own: its units begin so");
            return Err(Error::new(ErrorKind::Usage, title).about(name));
        }
        self.refuse_taken(name)?;
        self.refuse_unit_of_host(&unit::name(name))
    }

    /// Makes record and unit, or neither. The name's lock must be held.
    fn make_service(&self, spec: &Spec, environment: &[(String, String)]) -> Result<()> {
        let stage = Stage::new(&self.paths().stages(), spec.name.as_str())?;
        let file = self.service_environment(&spec.name);
        let has_environment = !environment.is_empty();
        if has_environment {
            write_secret(&stage.path().join("environment"), &environment_file(environment))?;
        }
        files::write_json(&stage.path().join("config.json"), spec, 0o644)?;
        files::set_mode(stage.path(), 0o755)?;
        let text = unit::render(spec, has_environment.then_some(file.as_path()));
        self.verify_unit(&spec.unit(), &[(spec.unit(), &text)])?;
        self.intend(&Intent::Units { name: spec.name.clone() })?;
        files::create_dirs(&self.paths().services(), 0o755)?;
        let made = stage
            .publish(&self.paths().service(&spec.name), Publish::New)
            .map_err(Error::from)
            .and_then(|()| self.settle_units(&spec.name));
        if let Err(error) = made {
            let undone = files::remove_tree(&self.paths().service(&spec.name))
                .map_err(Error::from)
                .and_then(|()| self.settle_units(&spec.name))
                .and_then(|()| self.fulfil(&spec.name));
            if let Err(undo) = undone {
                tracing::error!(name = %spec.name, error = %undo.chain().join(": "), "a service half made could not be undone");
            }
            return Err(error);
        }
        self.fulfil(&spec.name)
    }
}
