//! Commands on health checks.

pub(crate) mod configure;
pub(crate) mod flags;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod status;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on health checks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "ls")]
    List(list::Args),
    Status(status::Args),
    History(history::Args),
    Configure(Box<configure::Args>),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::List(args) => list::run(ctx, args).await,
        Command::Status(args) => status::run(ctx, args).await,
        Command::History(args) => history::run(ctx, args).await,
        Command::Configure(args) => configure::run(ctx, *args).await,
    }
}
