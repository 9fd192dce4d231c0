//! Commands on networks.

pub(crate) mod bridge;
pub(crate) mod capture;
pub(crate) mod connect;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod disconnect;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod policy;
pub(crate) mod status;
pub(crate) mod tap;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on networks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    #[command(visible_alias = "ls")]
    List(list::Args),
    Inspect(inspect::Args),
    Status(status::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    Connect(connect::Args),
    Disconnect(disconnect::Args),
    Capture(capture::Args),
    #[command(subcommand)]
    Bridge(bridge::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Tap(tap::Command),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Create(args) => create::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Inspect(args) => inspect::run(ctx, args).await,
        Command::Status(args) => status::run(ctx, args).await,
        Command::Delete(args) => delete::run(ctx, args).await,
        Command::Connect(args) => connect::run(ctx, args).await,
        Command::Disconnect(args) => disconnect::run(ctx, args).await,
        Command::Capture(args) => capture::run(ctx, args).await,
        Command::Bridge(command) => bridge::dispatch(command, ctx).await,
        Command::Policy(command) => policy::dispatch(command, ctx).await,
        Command::Tap(command) => tap::dispatch(command, ctx).await,
    }
}
