//! Commands on workloads of every kind and on units of the host.

pub(crate) mod freeze;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod restart;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod thaw;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on workloads of every kind and on units of the host.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_aliases = ["ls", "ps"])]
    List(list::Args),
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Freeze(freeze::Args),
    Thaw(thaw::Args),
    Inspect(inspect::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::List(args) => list::run(ctx, args).await,
        Command::Start(args) => start::run(ctx, args).await,
        Command::Stop(args) => stop::run(ctx, args).await,
        Command::Restart(args) => restart::run(ctx, args).await,
        Command::Freeze(args) => freeze::run(ctx, args).await,
        Command::Thaw(args) => thaw::run(ctx, args).await,
        Command::Inspect(args) => inspect::run(ctx, args).await,
    }
}
