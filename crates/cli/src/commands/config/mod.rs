//! Commands on the configuration.

pub(crate) mod edit;
pub(crate) mod get;
pub(crate) mod set;
pub(crate) mod show;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Show(show::Args),
    Get(get::Args),
    Set(set::Args),
    Edit(edit::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Show(args) => show::run(ctx, args).await,
        Command::Get(args) => get::run(ctx, args).await,
        Command::Set(args) => set::run(ctx, args).await,
        Command::Edit(args) => edit::run(ctx, args).await,
    }
}
