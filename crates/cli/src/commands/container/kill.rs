//! `volt container kill`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerKillOp;
use volt_api::types::{ContainerKill, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container kill web
  volt kill --signal HUP web";

/// Send a signal to the commands of containers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The signal, by name or number; KILL where nothing is said
    #[arg(long, short, value_name = "SIGNAL")]
    signal: Option<String>,
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Sends it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let kill = ContainerKill { name, signal: args.signal.clone() };
        ctx.call::<ContainerKillOp>(&kill, &Nothing {}).await
    })
    .await)
}
