//! Making a task: its record, then its timer and service.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use crate::plain::{Environment, variables, write_secret};
use jiff::Timestamp;
use std::collections::BTreeMap;
use volt_host::files::{self, Publish, Stage};
use volt_host::systemd::check_calendar;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::service::Program;
use volt_model::task::{Schedule, Spec, Trigger, unit};
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
    /// The image of the container that it runs in.
    pub image: Option<ImageRef>,
    /// The network that its container is connected to.
    pub network: Option<Name>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// When it is started.
    pub schedule: Schedule,
    /// Seconds that a run may take.
    pub timeout: Option<u64>,
    /// How often it is tried again.
    pub retries: u32,
    /// Seconds by which a start is put off at most.
    pub random_delay: Option<u64>,
    /// Whether a time that the host slept through is made up for.
    pub persistent: bool,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Whether its timer is left alone until it is enabled.
    pub disabled: bool,
}

impl Engine {
    /// Makes a task, and starts its timer.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `Usage` for what can't be, `InvalidConfig` for a time or command that systemd would not take,
    /// `Dependency` where systemd isn't PID 1.
    pub fn task_create(&self, create: Create) -> Result<View> {
        let disabled = create.disabled;
        let (spec, environment) = self.checked_task(create)?;
        let _lock = self.lock_name(&spec.name)?;
        self.refuse_taken(&spec.name)?;
        self.refuse_unit_of_host(&unit::service(&spec.name))?;
        self.make_task(&spec, &environment, Publish::New)?;
        if !disabled {
            self.task_timer(&spec.name, true)?;
        }
        self.task_view(spec)
    }

    /// Puts a task in the place of one that there is, whose history it goes on with. Nothing is started or stopped.
    ///
    /// # Errors
    /// As [`Engine::task_create`].
    pub(crate) fn task_replace(&self, spec: &Spec, environment: &Environment) -> Result<()> {
        let _lock = self.lock_name(&spec.name)?;
        self.make_task(spec, environment, Publish::Replace)
    }

    /// What was asked for as it is kept, if it can be.
    pub(crate) fn checked_task(&self, create: Create) -> Result<(Spec, Environment)> {
        self.require_units()?;
        let environment = variables(&create.env)?;
        let spec = Spec {
            version: Spec::VERSION,
            name: create.name,
            description: create.description,
            program: create.program,
            image: create.image,
            network: create.network,
            schedule: create.schedule,
            timeout: create.timeout,
            retries: create.retries,
            random_delay: create.random_delay,
            persistent: create.persistent,
            labels: create.labels,
            created: Timestamp::now(),
        };
        self.check_task(&spec, &environment)?;
        Ok((spec, environment))
    }

    fn check_task(&self, spec: &Spec, environment: &[(String, String)]) -> Result<()> {
        let wrong = |kind, why: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(kind, format!("The task {} can't be so", spec.name))
                .about(&spec.name)
                .because(why)
        };
        spec.validate().map_err(|e| wrong(ErrorKind::Usage, e.into()))?;
        if spec.image.is_some() && environment.iter().any(|(_, value)| value.contains('\n')) {
            let why = "a value of its environment has more than one line, which no file for containers can hold";
            return Err(wrong(ErrorKind::Usage, why.into()));
        }
        if spec.image.is_none() {
            self.check_program_user(&spec.program)?;
        }
        if let Ok(Trigger::Calendar(expressions)) = spec.schedule.trigger() {
            for expression in &expressions {
                check_calendar(expression)
                    .map_err(|e| wrong(ErrorKind::InvalidConfig, e.into()))?;
            }
        }
        Ok(())
    }

    /// Makes record and units, or neither. The name's lock must be held.
    fn make_task(&self, spec: &Spec, environment: &[(String, String)], how: Publish) -> Result<()> {
        let secrets = &spec.program.secrets;
        let _secrets = match spec.image {
            // What is given to a container Volt decrypts itself.
            Some(_) => self.hold_secrets(secrets)?,
            None => self.hold_credentials(secrets)?,
        };
        let stage = Stage::new(&self.paths().stages(), spec.name.as_str())?;
        if !environment.is_empty() {
            // `volt run` reads lines, systemd reads quotes.
            let text = match spec.image {
                Some(_) => {
                    environment.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
                }
                None => environment_file(environment),
            };
            write_secret(&stage.path().join("environment"), &text)?;
        }
        files::write_json(&stage.path().join("config.json"), spec, 0o644)?;
        if how == Publish::Replace {
            let runs = self.task_runs(&spec.name)?;
            files::write_json(&stage.path().join("history.json"), &runs, 0o644)?;
        }
        files::set_mode(stage.path(), 0o755)?;
        let texts = self.rendered_task(spec, !environment.is_empty())?;
        let (service, timer) = (unit::service(&spec.name), unit::timer(&spec.name));
        let all = [(service.clone(), texts[0].as_str()), (timer.clone(), texts[1].as_str())];
        self.verify_unit(&service, &all)?;
        self.verify_unit(&timer, &all)?;
        self.publish_with_units(&spec.name, stage, (&self.paths().task(&spec.name), how))
    }
}
