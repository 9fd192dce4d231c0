//! Commands on services.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod disable;
pub(crate) mod edit;
pub(crate) mod enable;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod restart;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on services.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Args>),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Status(status::Args),
    #[command(visible_alias = "cat")]
    Show(show::Args),
    Start(start::Args),
    Stop(stop::Args),
    Kill(kill::Args),
    Restart(restart::Args),
    Enable(enable::Args),
    Disable(disable::Args),
    Edit(edit::Args),
    /// Show what services wrote (logs)
    Logs(super::logs::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Create(args) => create::run(ctx, *args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Status(args) => status::run(ctx, args).await,
        Command::Show(args) => show::run(ctx, args).await,
        Command::Start(args) => start::run(ctx, args).await,
        Command::Stop(args) => stop::run(ctx, args).await,
        Command::Kill(args) => kill::run(ctx, args).await,
        Command::Restart(args) => restart::run(ctx, args).await,
        Command::Enable(args) => enable::run(ctx, args).await,
        Command::Disable(args) => disable::run(ctx, args).await,
        Command::Edit(args) => edit::run(ctx, args).await,
        Command::Logs(args) => super::logs::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
    }
}
