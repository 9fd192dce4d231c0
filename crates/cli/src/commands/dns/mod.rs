//! The server of names on Volt's networks.

pub(crate) mod serve;

use crate::ctx::Ctx;
use clap::Subcommand;
use std::process::ExitCode;

/// The server of names.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::Args),
}

/// Runs one of them.
pub(crate) fn run(ctx: &Ctx, command: &Command) -> ExitCode {
    match command {
        Command::Serve(args) => serve::run(ctx, args),
    }
}
