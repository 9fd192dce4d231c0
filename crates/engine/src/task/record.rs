//! What is kept of a task on disk, and its units, which follow from that.

use crate::Engine;
use crate::error::{Error, Result};
use crate::service::names_below;
use std::path::PathBuf;
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::service::unit::Files;
use volt_model::task::unit::{self, Context};
use volt_model::task::{Run, Spec};

/// The most a record's file may hold, in bytes.
const MAX: usize = 4 << 20;

impl Engine {
    /// Whether there is a task of that name.
    pub(crate) fn task_exists(&self, name: &Name) -> bool {
        self.paths().task(name).join("config.json").exists()
    }

    pub(crate) fn task_environment(&self, name: &Name) -> PathBuf {
        self.paths().task(name).join("environment")
    }

    /// The spec of a task.
    pub(crate) fn task_spec(&self, name: &Name) -> Result<Spec> {
        match files::read_json::<Spec>(&self.paths().task(name).join("config.json"), MAX) {
            Ok(spec) if spec.version == Spec::VERSION => Ok(spec),
            Ok(spec) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "The task {name} was written by another version of Volt (format {})",
                    spec.version
                ),
            )
            .about(name)),
            Err(e) if e.is_not_found() => {
                Err(Error::not_found("task", name).hinted("`volt task list` lists all there are"))
            }
            Err(e) => {
                let title = format!("The record of the task {name} can't be read");
                Err(Error::new(ErrorKind::InvalidConfig, title)
                    .about(name)
                    .because(e)
                    .hinted(format!("Give it up: volt task delete --force {name}")))
            }
        }
    }

    /// The names of all tasks, sorted.
    pub(crate) fn task_names(&self) -> Result<Vec<Name>> {
        names_below(&self.paths().tasks())
    }

    /// The specs of all tasks, sorted by name. One that can't be read is told in the log.
    pub(crate) fn task_specs(&self) -> Result<Vec<Spec>> {
        let read = |name: &Name| {
            self.task_spec(name)
                .inspect_err(|e| tracing::warn!(%name, error = %e.chain().join(": "), "a task's record can't be read"))
                .ok()
        };
        Ok(self.task_names()?.iter().filter_map(read).collect())
    }

    /// The units of a task as its record says, the service first; `has_environment` where it has variables.
    pub(crate) fn rendered_task(&self, spec: &Spec, has_environment: bool) -> Result<[String; 2]> {
        let (environment, secrets) = (self.task_environment(&spec.name), self.secrets());
        let environment = has_environment.then_some(environment.as_path());
        let files = Files { environment, secrets: &secrets };
        let context = Context { volt: &self.settings().programs.volt, files };
        let timer = unit::render_timer(spec).map_err(|e| {
            Error::new(ErrorKind::Usage, format!("The task {} can't be so", spec.name))
                .about(&spec.name)
                .because(e)
        })?;
        Ok([unit::render_service(spec, context), timer])
    }

    /// Makes the units of a task what its record says, or none where it has none.
    pub(crate) fn settle_task(&self, name: &Name) -> Result<()> {
        let (service, timer) = (unit::service(name), unit::timer(name));
        if self.task_exists(name) {
            let spec = self.task_spec(name)?;
            let texts = self.rendered_task(&spec, self.task_environment(name).exists())?;
            self.write_plain_unit(&service, &texts[0])?;
            return self.write_plain_unit(&timer, &texts[1]);
        }
        self.remove_plain_unit(&timer)?;
        self.remove_plain_unit(&service)?;
        // Where a removal broke off the record was the first to go.
        Ok(files::remove_tree(&self.paths().task(name))?)
    }

    fn history_path(&self, name: &Name) -> PathBuf {
        self.paths().task(name).join("history.json")
    }

    /// How the newest runs ended, the newest last.
    pub(crate) fn task_runs(&self, name: &Name) -> Result<Vec<Run>> {
        match files::read_json(&self.history_path(name), MAX) {
            Ok(runs) => Ok(runs),
            Err(e) if e.is_not_found() => Ok(Vec::new()),
            // It is of no other use, and the next run writes it anew.
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Ok(Vec::new()),
            Err(e) => Err(Error::from(e).about(name)),
        }
    }

    /// Adds a run to those that are kept, of one that is not gone.
    pub(super) fn note_run(&self, name: &Name, run: Run) -> Result<()> {
        if !self.task_exists(name) {
            return Ok(());
        }
        let mut runs = self.task_runs(name)?;
        runs.push(run);
        let first = runs.len().saturating_sub(Run::KEPT);
        let path = self.history_path(name);
        Ok(self.reserve().or_give_up(|| files::write_json(&path, &&runs[first..], 0o644))?)
    }
}
