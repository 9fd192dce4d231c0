//! `volt container clone`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerCloneOp;
use volt_api::types::{ContainerClone, Named};

const EXAMPLES: &str = "\
Examples:
  volt container clone web web-test
  volt container clone --snapshot before-upgrade web web-old";

/// Make another container like one
///
/// It has the settings of the first, and its root as it is, or was at a snapshot; nothing is copied. One that runs stands still
/// while it is read. Volumes are shared, but for those that were made for the first alone: of these it gets its own, with what
/// the root has there.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What the container was at this snapshot of it
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::snapshots))]
    snapshot: Option<String>,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
    /// What to call the new one
    #[arg(value_name = "NEW")]
    to: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let clone = ContainerClone { to: args.to, snapshot: args.snapshot };
    let made = ctx.progress::<ContainerCloneOp>(&Named { name: args.name }, &clone).await?;
    Ok(Output::text(&made, &made.name, format!("{}\n", made.name)))
}
