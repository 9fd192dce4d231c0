//! Commands on the firewall.

pub(crate) mod reload;
pub(crate) mod rule;
pub(crate) mod status;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on the firewall.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Status(status::Args),
    Reload(reload::Args),
    #[command(subcommand)]
    Rule(rule::Command),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Status(args) => status::run(ctx, args).await,
        Command::Reload(args) => reload::run(ctx, args).await,
        Command::Rule(command) => rule::dispatch(command, ctx).await,
    }
}
