//! `volt run`.

use super::container::create::with_image;
use super::container::flags::CreateFlags;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::session::{self, End, Options};
use std::time::Duration;
use volt_api::Problem;
use volt_api::operations::{ContainerAttachOp, ContainerDeleteOp, ContainerStartOp};
use volt_api::types::{Container, ContainerAttach, ContainerDelete, Named, Nothing};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt run -it debian bash
  volt run --rm debian cat /etc/os-release
  volt run -d --name web -v ./site:/srv:ro --memory 256M debian python3 -m http.server -d /srv
  volt run -d --name box --boot debian";

/// Create a container, start it and connect to it
///
/// The image is pulled when it is missing. Options stand before the image; what follows it is the command. The exit code is the
/// command's. In a terminal, ctrl-p ctrl-q leaves the container running.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Let it run, print its name, and don't connect
    #[arg(long, short)]
    detach: bool,
    #[command(flatten)]
    pub(crate) create: CreateFlags,
}

/// Runs it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let detach = args.detach;
    let mut create = args.create.create()?;
    let options = Options { tty: create.tty, stdin: create.stdin && !detach, detach: true };
    if !detach {
        session::check_terminal(options)?;
    }
    if create.tty && !create.env.iter().any(|e| e.starts_with("TERM=")) {
        create.env.extend(super::container::flags::env_value("TERM"));
    }
    let container = with_image(ctx, &create).await?;
    begin(ctx, container, options, detach).await
}

/// Starts a container that was made, and connects to it unless it is to be left alone.
pub(crate) async fn begin(
    ctx: &Ctx,
    container: Container,
    options: Options,
    detach: bool,
) -> Outcome {
    if detach {
        return start(ctx, container).await;
    }
    let auto_remove = container.auto_remove;
    let name = container.name;
    let ended = connect(ctx, &name, options).await;
    match &ended {
        Ok(End::Detached) => {}
        // The container needs neither this command nor the daemon; where it is to be removed, its end does that.
        Err(problem) if problem.kind() == ErrorKind::Daemon => {
            let problem = problem.clone();
            return Err(problem.hinted(format!(
                "The container {name} runs on: `volt attach {name}`, `volt logs -f {name}`"
            )));
        }
        _ if auto_remove => delete(ctx, &name).await?,
        _ => {}
    }
    Ok(Output::exit(ended?.code()))
}

async fn start(ctx: &Ctx, container: Container) -> Outcome {
    let named = Named { name: container.name };
    match ctx.call::<ContainerStartOp>(&named, &Nothing {}).await {
        Ok(started) => Ok(Output::text(&started, &started.name, format!("{}\n", started.name))),
        Err(problem) => {
            if container.auto_remove {
                delete(ctx, &named.name).await?;
            }
            Err(problem)
        }
    }
}

/// Starts it, connected from the first byte on.
async fn connect(ctx: &Ctx, name: &str, options: Options) -> Result<End, Problem> {
    // From here on an interrupt is the command's; what came before finds a container that `volt ps -a` shows.
    let attach = ContainerAttach { name: name.to_owned(), start: true };
    session::run(ctx, ctx.stream::<ContainerAttachOp>(&attach), options).await
}

/// What is left to do when the command is interrupted: `--rm` holds, and what stays is named.
pub(crate) async fn interrupted(ctx: &Ctx, problem: Problem) -> Problem {
    match ctx.made() {
        Some(made) if made.auto_remove => match delete(ctx, &made.name).await {
            Ok(()) => problem,
            Err(worse) => worse,
        },
        Some(made) => {
            let name = &made.name;
            problem.hinted(format!(
                "The container {name} is there: `volt start {name}` or `volt rm --force {name}`"
            ))
        }
        None => problem,
    }
}

/// Removes what `--rm` promised to; the server may have been faster, or still be at it.
async fn delete(ctx: &Ctx, name: &str) -> Result<(), Problem> {
    let delete = ContainerDelete { name: name.to_owned(), force: true };
    for pause in [20, 100, 400, 1000, 0] {
        match ctx.call::<ContainerDeleteOp>(&delete, &Nothing {}).await {
            Ok(_) => return Ok(()),
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(()),
            Err(problem) if problem.kind() == ErrorKind::Conflict && pause > 0 => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}
