//! Commands on tasks.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod disable;
pub(crate) mod enable;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod run;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Args>),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Inspect(inspect::Args),
    Run(run::Args),
    History(history::Args),
    Enable(enable::Args),
    Disable(disable::Args),
    /// Show what tasks wrote (logs)
    Logs(super::logs::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Create(args) => create::run(ctx, *args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Inspect(args) => inspect::run(ctx, args).await,
        Command::Run(args) => run::run(ctx, args).await,
        Command::History(args) => history::run(ctx, args).await,
        Command::Enable(args) => enable::run(ctx, args).await,
        Command::Disable(args) => disable::run(ctx, args).await,
        Command::Logs(args) => super::logs::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
    }
}
