//! Commands on secrets.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Create(args) => create::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
    }
}
