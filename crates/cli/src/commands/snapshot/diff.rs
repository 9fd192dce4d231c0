//! `volt snapshot diff`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SnapshotDiffOp;
use volt_api::types::{Nothing, SnapshotDiff};

const EXAMPLES: &str = "\
Examples:
  volt snapshot diff web before-upgrade
  volt snapshot diff web monday tuesday -o json";

/// Show what has changed since a snapshot, or between two
///
/// A line for each path: + is new, - is gone, ~ is in both with what is not the same.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
    /// The snapshot
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::snapshots))]
    name: String,
    /// Another one; the container as it is where nothing is said
    #[arg(value_name = "OTHER", add = ArgValueCompleter::new(complete::snapshots))]
    to: Option<String>,
}

/// Compares them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let diff = SnapshotDiff { name: args.container, snapshot: args.name, to: args.to };
    Ok(views::cas::changes(&ctx.call::<SnapshotDiffOp>(&diff, &Nothing {}).await?))
}
