//! `volt container restart`.

use crate::ctx::Ctx;
use crate::number::seconds;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerRestartOp;
use volt_api::types::{ContainerStop, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container restart web
  volt restart --time 5 web db";

/// Stop containers and start them again
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seconds to wait before the kill, in place of the container's own
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS", value_parser = seconds)]
    time: Option<u32>,
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Restarts them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let timeout = args.time;
    Ok(many::each(&args.names, async |name| {
        ctx.call::<ContainerRestartOp>(&ContainerStop { name, timeout }, &Nothing {}).await
    })
    .await)
}
