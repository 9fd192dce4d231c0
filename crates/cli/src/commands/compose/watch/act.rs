//! What is done with the containers of a service when its files changed.

use crate::commands::compose::project::{Project, document};
use crate::commands::compose::pull;
use crate::commands::container::exec;
use crate::commands::image::build::Anew;
use crate::copy::pack;
use crate::ctx::Ctx;
use crate::many;
use crate::output::clean;
use crate::session::{self, Options};
use std::path::{Path, PathBuf};
use volt_api::Problem;
use volt_api::operations::{ComposeRestartOp, ComposeUpOp, ContainerCopyInOp, ContainerExecOp};
use volt_api::types::{ComposeServices, ComposeUp, ContainerExec, ContainerPath, Named};
use volt_compose::develop::{Changed, Deed};
use volt_compose::stack::Hook;
use volt_compose::{Loaded, plan};
use volt_model::kind::ErrorKind;

/// So many names of files are told.
const NAMED: usize = 3;
/// So many paths are given to one command.
const AT_ONCE: usize = 500;

/// What is watched, and with whom it is talked about.
pub(super) struct Act<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) project: &'a Project,
    pub(super) loaded: &'a Loaded,
}

impl Act<'_> {
    /// Does one thing with a service.
    pub(super) async fn deed(&self, service: &str, deed: &Deed<'_>) -> Result<(), Problem> {
        match deed {
            Deed::Rebuild => self.rebuild(service).await,
            Deed::Copy(changed) => self.copy(service, changed).await,
            Deed::Restart => self.restart(service).await,
            Deed::Run(hook) => self.run(service, hook).await,
        }
    }

    /// Brings services up: all that are watched at the beginning, one when its image is another.
    pub(super) async fn up(&self, services: &[String], no_deps: bool) -> Result<(), Problem> {
        let up = ComposeUp { no_deps, ..self.asked(services)? };
        drop(self.ctx.steps::<ComposeUpOp>(&self.named(), &up).await?);
        Ok(())
    }

    /// What is asked for so that services come up, with what they depend on.
    pub(super) fn asked(&self, services: &[String]) -> Result<ComposeUp, Problem> {
        let options = plan::Options { services: services.to_vec(), ..plan::Options::default() };
        let whole = document(self.loaded, &self.loaded.stack, &options)?;
        Ok(ComposeUp { services: options.services, ..whole })
    }

    fn named(&self) -> Named {
        Named { name: self.loaded.stack.name.to_string() }
    }

    async fn rebuild(&self, service: &str) -> Result<(), Problem> {
        pull::build(
            self.ctx,
            &self.loaded.stack,
            &self.loaded.variables,
            (service, &Anew::default()),
        )
        .await?;
        self.up(&[service.to_owned()], true).await
    }

    async fn restart(&self, service: &str) -> Result<(), Problem> {
        let services = ComposeServices { services: vec![service.to_owned()], timeout: None };
        drop(self.ctx.steps::<ComposeRestartOp>(&self.named(), &services).await?);
        Ok(())
    }

    async fn copy(&self, service: &str, changed: &Changed<'_>) -> Result<(), Problem> {
        let containers = self.project.running(self.ctx, &[service.to_owned()]).await?;
        // A folder may have been where a file is now, so what is gone goes first.
        self.each(&containers, async |container| {
            self.remove_from(container, changed).await?;
            self.copy_into(container, changed).await
        })
        .await?;
        let told = [("copied to", &changed.there), ("removed from", &changed.gone)];
        for (what, files) in told.iter().filter(|(_, files)| !files.is_empty()) {
            let names = names(changed, files);
            self.ctx
                .out
                .note(&clean(&format!("{service}: {names} {what} {}", containers.join(", "))));
        }
        if containers.is_empty() {
            self.ctx.out.warn(&format!("{service}: nothing of it runs, so nothing was copied"));
        }
        Ok(())
    }

    async fn copy_into(&self, container: &str, changed: &Changed<'_>) -> Result<(), Problem> {
        let root = Path::new(&changed.rule.watch.path);
        let from = |path: &str| if path.is_empty() { root.to_owned() } else { root.join(path) };
        let placed: Vec<(PathBuf, String, String)> = changed
            .there
            .iter()
            .map(|path| {
                let (folder, name) = changed.rule.place(path);
                (from(path), folder, name)
            })
            .collect();
        let Some((_, folder, _)) = placed.first() else { return Ok(()) };
        // The folder may be behind a link of the container, which is followed only on the way to it. Where it isn't there it is made.
        let files = placed.iter().map(|(from, _, name)| (from.clone(), name.clone())).collect();
        match self.send(container, folder, files).await {
            Err(problem) if problem.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
        let whole = |folder: &str, name: &str| {
            format!("{}/{name}", folder.trim_matches('/')).trim_start_matches('/').to_owned()
        };
        let files = placed.iter().map(|(from, folder, name)| (from.clone(), whole(folder, name)));
        self.send(container, "/", files.collect()).await
    }

    async fn send(
        &self,
        container: &str,
        folder: &str,
        files: Vec<(PathBuf, String)>,
    ) -> Result<(), Problem> {
        let to = ContainerPath { name: container.to_owned(), path: folder.to_owned() };
        let (body, left_out) = pack::files(files);
        self.ctx.upload::<ContainerCopyInOp>(&to, body).await?;
        left_out.tell(&self.ctx.out);
        Ok(())
    }

    async fn remove_from(&self, container: &str, changed: &Changed<'_>) -> Result<(), Problem> {
        let paths: Vec<String> = changed
            .gone
            .iter()
            .map(|path| {
                let (folder, name) = changed.rule.place(path);
                format!("{}/{name}", folder.trim_end_matches('/'))
            })
            .collect();
        for some in paths.chunks(AT_ONCE) {
            let words =
                ["rm", "-rf", "--"].map(str::to_owned).into_iter().chain(some.iter().cloned());
            // What was copied is root's.
            let remove =
                Hook { command: words.collect(), user: Some("0".to_owned()), ..Hook::default() };
            self.exec(container, &remove).await?;
        }
        Ok(())
    }

    async fn run(&self, service: &str, hook: &Hook) -> Result<(), Problem> {
        let containers = self.project.running(self.ctx, &[service.to_owned()]).await?;
        self.each(&containers, async |container| {
            self.exec(container, hook).await?;
            let line = hook.command.join(" ");
            self.ctx.out.note(&clean(&format!("{service}: `{line}` was run in {container}")));
            Ok(())
        })
        .await
    }

    /// Does something with each container, also where it failed with others. The last error is returned; those before it are told.
    async fn each(
        &self,
        containers: &[String],
        act: impl AsyncFn(&str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut last = Ok(());
        for container in containers {
            if let Err(problem) = act(container).await {
                let problem = Err(many::named(problem, container));
                if let Err(before) = std::mem::replace(&mut last, problem) {
                    self.ctx.out.problem(&before);
                }
            }
        }
        last
    }

    async fn exec(&self, container: &str, hook: &Hook) -> Result<(), Problem> {
        let env: Vec<String> =
            hook.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let exec = ContainerExec {
            name: container.to_owned(),
            command: exec::json(&hook.command),
            env: exec::json(&env),
            user: hook.user.clone(),
            workdir: hook.working_dir.clone(),
            ..ContainerExec::default()
        };
        let stream = self.ctx.stream::<ContainerExecOp>(&exec);
        match session::run(self.ctx, stream, Options::default()).await?.code() {
            0 => Ok(()),
            code => {
                let line = hook.command.join(" ");
                let title = format!("`{}` in {container} ended with code {code}", clean(&line));
                Err(Problem::new(ErrorKind::General, title).about(container))
            }
        }
    }
}

/// Some files by their names, many by their number.
fn names(changed: &Changed<'_>, files: &[String]) -> String {
    if files.len() > NAMED {
        return format!("{} files", files.len());
    }
    let own = Path::new(&changed.rule.watch.path).file_name().unwrap_or_default().to_string_lossy();
    let shown =
        files.iter().map(|path| if path.is_empty() { own.to_string() } else { path.clone() });
    shown.collect::<Vec<_>>().join(", ")
}
