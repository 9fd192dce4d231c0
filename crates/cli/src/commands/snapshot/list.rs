//! `volt snapshot list`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SnapshotListOp;
use volt_api::types::{Nothing, SnapshotList};

const EXAMPLES: &str = "\
Examples:
  volt snapshot list
  volt snapshot list web -o wide";

/// List snapshots, the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Those of one container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: Option<String>,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let list = SnapshotList { container: args.container };
    Ok(views::snapshot::list(&ctx.call::<SnapshotListOp>(&list, &Nothing {}).await?))
}
