//! `volt container stop`.

use crate::ctx::Ctx;
use crate::number::seconds;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerStopOp;
use volt_api::types::{ContainerStop, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container stop web
  volt stop --time 30 web db";

/// Stop containers
///
/// The command gets its stop signal, and is killed when it hasn't ended after its time.
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

/// Stops them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let timeout = args.time;
    Ok(many::each(&args.names, async |name| {
        ctx.call::<ContainerStopOp>(&ContainerStop { name, timeout }, &Nothing {}).await
    })
    .await)
}
