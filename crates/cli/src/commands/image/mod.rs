//! Commands on images.

pub(crate) mod build;
pub(crate) mod delete;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod tag;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on images.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Pull(pull::Args),
    Push(push::Args),
    Import(import::Args),
    Build(Box<build::Args>),
    Export(export::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Inspect(inspect::Args),
    Tag(tag::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Pull(args) => pull::run(ctx, args).await,
        Command::Push(args) => push::run(ctx, args).await,
        Command::Import(args) => import::run(ctx, args).await,
        Command::Build(args) => build::run(ctx, *args).await,
        Command::Export(args) => export::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Inspect(args) => inspect::run(ctx, args).await,
        Command::Tag(args) => tag::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
    }
}
