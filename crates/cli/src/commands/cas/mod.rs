//! Commands on the content-addressed store.

pub(crate) mod build;
pub(crate) mod cat;
pub(crate) mod dedup;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod list;
pub(crate) mod ls;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod status;
pub(crate) mod verify;

use crate::copy::file_problem;
use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;
use std::path::Path;
use volt_api::Problem;
use volt_model::kind::ErrorKind;

/// Commands on the content-addressed store.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::Args),
    Build(build::Args),
    List(list::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    Ls(ls::Args),
    Cat(cat::Args),
    Diff(diff::Args),
    Export(export::Args),
    Push(push::Args),
    Pull(pull::Args),
    Dedup(dedup::Args),
    Verify(verify::Args),
    Gc(gc::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Status(args) => status::run(ctx, args).await,
        Command::Build(args) => build::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
        Command::Ls(args) => ls::run(ctx, args).await,
        Command::Cat(args) => cat::run(ctx, args).await,
        Command::Diff(args) => diff::run(ctx, args).await,
        Command::Export(args) => export::run(ctx, args).await,
        Command::Push(args) => push::run(ctx, args).await,
        Command::Pull(args) => pull::run(ctx, args).await,
        Command::Dedup(args) => dedup::run(ctx, args).await,
        Command::Verify(args) => verify::run(ctx, args).await,
        Command::Gc(args) => gc::run(ctx, args).await,
    }
}

/// A folder by its absolute path, for a server that sees the same files.
fn absolute(path: &Path) -> Result<String, Problem> {
    let whole = path.canonicalize().map_err(|e| file_problem("read", path, &e))?;
    whole
        .into_os_string()
        .into_string()
        .map_err(|_| Problem::new(ErrorKind::Usage, format!("{} is no UTF-8 text", path.display())))
}

/// A download that broke off may have come upon damage behind its first bytes, which it can't say any more.
fn broke_off(problem: Problem) -> Problem {
    if problem.kind() != ErrorKind::Daemon || problem.hint.is_some() {
        return problem;
    }
    problem.hinted(
        "What was written is not whole; `volt cas verify` says whether something is damaged",
    )
}
