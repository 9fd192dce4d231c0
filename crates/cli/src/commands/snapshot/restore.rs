//! `volt snapshot restore`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SnapshotRestoreOp;
use volt_api::types::{Nothing, SnapshotName};

const EXAMPLES: &str = "\
Examples:
  volt snapshot restore web before-upgrade";

/// Make a stopped container what it was
///
/// What it has written since is lost, unless there is a snapshot of that too. Volumes and settings stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
    /// The snapshot
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::snapshots))]
    name: String,
}

/// Restores it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let snapshot = SnapshotName { name: args.container, snapshot: args.name };
    let container = ctx.call::<SnapshotRestoreOp>(&snapshot, &Nothing {}).await?;
    Ok(Output::text(&container, &container.name, format!("{}\n", container.name)))
}
