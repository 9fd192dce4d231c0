//! `volt snapshot delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SnapshotDeleteOp;
use volt_api::types::{Named, Nothing, SnapshotName};

const EXAMPLES: &str = "\
Examples:
  volt snapshot delete web before-upgrade
  volt snapshot rm web monday tuesday";

/// Remove snapshots of a container
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
    /// The snapshots
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::snapshots))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let snapshot = SnapshotName { name: args.container.clone(), snapshot: name.clone() };
        ctx.call::<SnapshotDeleteOp>(&snapshot, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
