//! Which stack a command is about: the files, what they are read with, and what runs of it.

use crate::ctx::Ctx;
use crate::output::clean;
use std::path::PathBuf;
use volt_api::Problem;
use volt_api::operations::ComposePsOp;
use volt_api::types::{ComposeUp, ComposeWorkload, Named, Nothing, Sealed};
use volt_compose::convert::{Format, convert};
use volt_compose::files::Disk;
use volt_compose::plan::{Options, chosen};
use volt_compose::{Loaded, Request, Stack, assets, names};
use volt_model::config::nearest;
use volt_model::kind::ErrorKind;
use volt_model::secret::Hidden;

/// Which files, and what they are read with.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which stack")]
pub(crate) struct Project {
    /// A file of the stack; several are merged. Found by itself where none is named
    #[arg(long, short, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// What the stack is called
    #[arg(long, short, value_name = "NAME")]
    pub(super) project_name: Option<String>,
    /// A profile whose services belong to the stack
    #[arg(long, value_name = "PROFILE")]
    profile: Vec<String>,
    /// A file of variables, in place of .env
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// What paths in the files are relative to
    #[arg(long, value_name = "DIR")]
    project_directory: Option<PathBuf>,
}

impl Project {
    /// Reads the files and says what is odd about them.
    ///
    /// # Errors
    /// `InvalidConfig` with all that is wrong.
    pub(crate) fn load(&self, ctx: &Ctx, services: &[String]) -> Result<Loaded, Problem> {
        let loaded = self.read(services)?;
        for warning in &loaded.warnings {
            ctx.out.warn(&warning.to_string());
        }
        Ok(loaded)
    }

    fn read(&self, services: &[String]) -> Result<Loaded, Problem> {
        let folder = here()?;
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let request = Request {
            folder,
            files: self.file.clone(),
            project_folder: self.project_directory.clone(),
            name: self.project_name.clone(),
            profiles: self.profile.clone(),
            services: services.to_vec(),
            env_files: self.env_file.clone(),
            environment: environment.collect(),
        };
        volt_compose::load(&Disk, &request).map_err(|report| {
            // Each with its own place, so each on a line of its own.
            let title = "The stack can't be read";
            Problem::new(ErrorKind::InvalidConfig, title).because(&Lines(report.to_string()))
        })
    }

    /// What the stack is called: as it was said, or by the files.
    pub(crate) fn name(&self) -> Result<String, Problem> {
        let variable = || std::env::var_os("COMPOSE_PROJECT_NAME")?.into_string().ok();
        let said = self.project_name.clone().or_else(variable);
        match said.filter(|name| !name.is_empty()) {
            Some(said) => names::plain(&said).map(|name| name.to_string()).ok_or_else(|| {
                Problem::new(ErrorKind::Usage, format!("`{said}` is no name of a stack"))
            }),
            None => Ok(self.read(&[])?.stack.name.to_string()),
        }
    }

    /// The same for an operation.
    pub(crate) fn named(&self) -> Result<Named, Problem> {
        Ok(Named { name: self.name()? })
    }

    /// What there is of these services of the stack, or of all, by service and number.
    ///
    /// # Errors
    /// `NotFound` for the stack, or a service of which there is nothing.
    pub(crate) async fn workloads(
        &self,
        ctx: &Ctx,
        services: &[String],
    ) -> Result<Vec<ComposeWorkload>, Problem> {
        let stack = ctx.call::<ComposePsOp>(&self.named()?, &Nothing {}).await?;
        let known = || stack.workloads.iter().map(|one| one.service.as_str());
        if let Some(unknown) = services.iter().find(|key| known().all(|one| one != *key)) {
            let title =
                format!("There is nothing of the service {unknown} of the stack {}", stack.name);
            let problem = Problem::new(ErrorKind::NotFound, title).about(unknown.clone());
            return Err(match nearest(unknown, known()) {
                Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
                None => problem.hinted("`volt compose up` makes it"),
            });
        }
        let wanted = |one: &ComposeWorkload| services.is_empty() || services.contains(&one.service);
        Ok(stack.workloads.into_iter().filter(wanted).collect())
    }

    /// The names of those.
    pub(crate) async fn names(
        &self,
        ctx: &Ctx,
        services: &[String],
    ) -> Result<Vec<String>, Problem> {
        self.those(ctx, services, |_| true).await
    }

    /// The names of those that `wanted` says yes to.
    pub(crate) async fn those(
        &self,
        ctx: &Ctx,
        services: &[String],
        wanted: impl Fn(&ComposeWorkload) -> bool,
    ) -> Result<Vec<String>, Problem> {
        let all = self.workloads(ctx, services).await?.into_iter();
        Ok(all.filter(wanted).map(|one| one.workload.name).collect())
    }

    /// The containers among those; what is asked for by its service is what it is.
    pub(crate) async fn containers(
        &self,
        ctx: &Ctx,
        services: &[String],
    ) -> Result<Vec<ComposeWorkload>, Problem> {
        let mut all = self.workloads(ctx, services).await?;
        all.retain(|one| !services.is_empty() || one.workload.kind == "container");
        Ok(all)
    }

    /// The names of those that run.
    pub(crate) async fn running(
        &self,
        ctx: &Ctx,
        services: &[String],
    ) -> Result<Vec<String>, Problem> {
        self.those(ctx, services, runs).await
    }

    /// Number `index` of a service.
    pub(crate) async fn replica(
        &self,
        ctx: &Ctx,
        service: &str,
        index: Option<u32>,
    ) -> Result<String, Problem> {
        let all = self.workloads(ctx, &[service.to_owned()]).await?;
        let chosen = match index {
            Some(index) => all.iter().find(|one| one.replica == index),
            None => all.iter().find(|one| runs(one)).or(all.first()),
        };
        chosen.map(|one| one.workload.name.clone()).ok_or_else(|| {
            let number = index.map(|n| format!("number {n} of ")).unwrap_or_default();
            let title = format!("There is no {number}the service {service}");
            Problem::new(ErrorKind::NotFound, title).about(service)
        })
    }
}

/// The folder in which the command was typed.
#[expect(clippy::disallowed_methods, reason = "the command line knows where it stands")]
fn here() -> Result<PathBuf, Problem> {
    std::env::current_dir().map_err(|e| {
        Problem::new(ErrorKind::General, "It can't be told in which folder this is").because(&e)
    })
}

/// Whether a workload is up.
pub(crate) fn runs(one: &ComposeWorkload) -> bool {
    !matches!(one.workload.state.as_str(), "stopped" | "failed")
}

/// The stack as one document, with the files that it was made of, and beside it the secrets that these services have. The content of its
/// files of configuration is in it: the daemon sees neither these files nor our variables.
///
/// # Errors
/// For files of configurations and secrets that can't be read, and variables that are not set, all at once.
pub(crate) fn document(
    loaded: &Loaded,
    stack: &Stack,
    options: &Options,
) -> Result<ComposeUp, Problem> {
    let mut plain = stack.clone();
    let secrets = assets::secrets(&Disk, &mut plain, &loaded.variables, &chosen(stack, options));
    let filled = assets::filled(&Disk, &plain, &loaded.variables);
    let (stack, secrets) = match (filled, secrets) {
        (Ok(stack), Ok(secrets)) => (stack, secrets),
        (filled, secrets) => {
            let reports = [filled.err(), secrets.err()].into_iter().flatten();
            let all: Vec<String> = reports.map(|report| report.to_string()).collect();
            let title = "What the stack's configs and secrets are made of can't be read";
            let problem = Problem::new(ErrorKind::NotFound, title);
            return Err(placed(loaded, problem.because(&Lines(all.join("\n")))));
        }
    };
    let sealed = |(key, hidden): (String, Hidden)| (key, Sealed(hidden.encode()));
    Ok(ComposeUp {
        document: text(&stack),
        files: loaded.files.iter().map(|path| path.display().to_string()).collect(),
        secrets: secrets.into_iter().map(sealed).collect(),
        disabled: loaded.disabled.keys().cloned().collect(),
        ..ComposeUp::default()
    })
}

/// What the daemon refuses of a stack, with the place in the files of each thing that is refused.
pub(crate) fn placed(loaded: &Loaded, problem: Problem) -> Problem {
    let places = &loaded.places;
    let of_section = |key: &str| {
        let sections = ["services", "tasks", "vms"].into_iter();
        sections.filter_map(|section| places.get(&format!("{section}.{key}"))).next()
    };
    let line = |line: &str| {
        let place = line.split_once(": ").and_then(|(key, _)| places.get(key).or(of_section(key)));
        place.map_or_else(|| line.to_owned(), |place| format!("{place}: {line}"))
    };
    let lines = |text: &String| match text.contains('\n') {
        true => {
            let all: Vec<String> = text.trim_start().lines().map(line).collect();
            Lines(all.join("\n")).to_string()
        }
        false => line(text),
    };
    let causes = problem.causes.iter().map(lines).collect();
    Problem { title: line(&problem.title), causes, ..problem }
}

/// The stack as one file of Compose's form.
pub(crate) fn text(stack: &Stack) -> String {
    let files = convert(stack, Format::Compose).files;
    files.into_iter().next().map(|file| file.text).unwrap_or_default()
}

/// Says what the user should know.
pub(crate) fn tell(ctx: &Ctx, notes: &[String]) {
    for note in notes {
        ctx.out.note(&clean(note));
    }
}

/// Several lines as one cause.
#[derive(Debug)]
pub(super) struct Lines(pub(super) String);

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

impl std::error::Error for Lines {}
