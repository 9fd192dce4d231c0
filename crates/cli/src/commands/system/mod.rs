//! Commands on this host.

pub(crate) mod check;
pub(crate) mod df;
pub(crate) mod info;
pub(crate) mod install;
pub(crate) mod prune;
pub(crate) mod uninstall;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;

/// Commands on this host.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(info::Args),
    Check(check::Args),
    Df(df::Args),
    Prune(prune::Args),
    Install(install::Args),
    Uninstall(uninstall::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Info(args) => info::run(ctx, args).await,
        Command::Check(args) => check::run(ctx, args).await,
        Command::Df(args) => df::run(ctx, args).await,
        Command::Prune(args) => prune::run(ctx, args).await,
        Command::Install(args) => install::run(ctx, &args),
        Command::Uninstall(args) => uninstall::run(ctx, &args),
    }
}
