//! Commands on containers.

pub(crate) mod attach;
pub(crate) mod clone;
pub(crate) mod commit;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod flags;
pub(crate) mod inspect;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod rename;
pub(crate) mod restart;
pub(crate) mod shell;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod update;
pub(crate) mod wait;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on containers.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(Box<create::Args>),
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Kill(kill::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    Exec(exec::Args),
    Shell(shell::Args),
    Attach(attach::Args),
    Logs(logs::Args),
    Inspect(inspect::Args),
    #[command(visible_aliases = ["ls", "ps"])]
    List(list::Args),
    Update(update::Args),
    #[command(visible_alias = "mv")]
    Rename(rename::Args),
    #[command(visible_alias = "cp")]
    Copy(copy::Args),
    Clone(clone::Args),
    Commit(commit::Args),
    Wait(wait::Args),
    Export(export::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Create(args) => create::run(ctx, *args).await,
        Command::Start(args) => start::run(ctx, args).await,
        Command::Stop(args) => stop::run(ctx, args).await,
        Command::Restart(args) => restart::run(ctx, args).await,
        Command::Kill(args) => kill::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
        Command::Exec(args) => exec::run(ctx, args).await,
        Command::Shell(args) => shell::run(ctx, args).await,
        Command::Attach(args) => attach::run(ctx, args).await,
        Command::Logs(args) => logs::run(ctx, args).await,
        Command::Inspect(args) => inspect::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Update(args) => update::run(ctx, args).await,
        Command::Rename(args) => rename::run(ctx, args).await,
        Command::Copy(args) => copy::run(ctx, args).await,
        Command::Clone(args) => clone::run(ctx, args).await,
        Command::Commit(args) => commit::run(ctx, args).await,
        Command::Wait(args) => wait::run(ctx, args).await,
        Command::Export(args) => export::run(ctx, args).await,
    }
}
