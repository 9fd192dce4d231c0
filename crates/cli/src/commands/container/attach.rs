//! `volt container attach`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::session::{self, Options};
use clap_complete::engine::ArgValueCompleter;
use std::io::IsTerminal;
use volt_api::operations::{ContainerAttachOp, ContainerInspectOp};
use volt_api::types::{ContainerAttach, Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container attach web
  volt attach --start web        Start it, connected from the first byte on
  volt attach --no-stdin web     Only look on";

/// Connect to a container's terminal or streams
///
/// In a terminal, ctrl-p ctrl-q leaves the container running. The exit code is the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Start the container
    #[arg(long)]
    start: bool,
    /// Don't pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
}

/// Connects.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let named = Named { name: args.name.clone() };
    let container = ctx.call::<ContainerInspectOp>(&named, &Nothing {}).await?;
    let stdin = container.stdin && !args.no_stdin;
    // A terminal can be looked at from a pipe; only what is typed needs one of its own.
    let tty = container.tty && (!stdin || std::io::stdin().is_terminal());
    let attach = ContainerAttach { name: args.name, start: args.start };
    let stream = ctx.stream::<ContainerAttachOp>(&attach);
    let options = Options { tty, stdin, detach: true };
    Ok(Output::exit(session::run(ctx, stream, options).await?.code()))
}
