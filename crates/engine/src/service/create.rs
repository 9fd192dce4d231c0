//! Making a service: its record, then its unit.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::plain::{Environment, variables, write_secret};
use jiff::Timestamp;
use std::collections::BTreeMap;
use volt_host::files::{self, Publish, Stage};
use volt_host::systemd::{JobKind, Lifetime};
use volt_model::health::Check;
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
    /// How it is found out whether it is well.
    pub health: Option<Check>,
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
        let now = create.now;
        let (spec, environment) = self.checked_service(create)?;
        let _lock = self.lock_name(&spec.name)?;
        self.refuse_name_of_service(&spec.name)?;
        self.forget_service_end(&spec.name)?;
        self.make_service(&spec, &environment, Publish::New)?;
        if now {
            self.systemd().enable(&[&spec.unit()], Lifetime::Persistent)?;
            self.plain_job(JobKind::Start, &spec.unit())?;
        }
        self.service_status(&Target::Workload(spec.name))
    }

    /// Puts a service in the place of one that there is, without starting or stopping anything.
    ///
    /// # Errors
    /// As [`Engine::service_create`].
    pub(crate) fn service_replace(&self, spec: &Spec, environment: &Environment) -> Result<()> {
        let _lock = self.lock_name(&spec.name)?;
        self.forget_service_end(&spec.name)?;
        self.make_service(spec, environment, Publish::Replace)
    }

    /// What was asked for as it is kept, if it can be.
    pub(crate) fn checked_service(&self, create: Create) -> Result<(Spec, Environment)> {
        self.require_units()?;
        let environment = variables(&create.env)?;
        let spec = Spec {
            version: Spec::VERSION,
            name: create.name,
            description: create.description,
            program: create.program,
            restart: create.restart,
            health: create.health,
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
        Ok((spec, environment))
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
    fn make_service(
        &self,
        spec: &Spec,
        environment: &[(String, String)],
        how: Publish,
    ) -> Result<()> {
        let _secrets = self.hold_credentials(&spec.program.secrets)?;
        let stage = Stage::new(&self.paths().stages(), spec.name.as_str())?;
        let has_environment = !environment.is_empty();
        if has_environment {
            write_secret(&stage.path().join("environment"), &environment_file(environment))?;
        }
        files::write_json(&stage.path().join("config.json"), spec, 0o644)?;
        files::set_mode(stage.path(), 0o755)?;
        let text = self.rendered_service(spec, has_environment);
        self.verify_unit(&spec.unit(), &[(spec.unit(), &text)])?;
        self.publish_with_units(&spec.name, stage, (&self.paths().service(&spec.name), how))
    }
}
