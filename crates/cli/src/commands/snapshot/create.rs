//! `volt snapshot create`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SnapshotCreateOp;
use volt_api::types::{Named, SnapshotCreate};

const EXAMPLES: &str = "\
Examples:
  volt snapshot create web
  volt snapshot create web before-upgrade";

/// Make a snapshot of what a container has written
///
/// One that runs stands still while that is read. Only what changed since the last snapshot is read and stored. Volumes are no
/// part of it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
    /// What to call it; by the time where nothing is said
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = SnapshotCreate { snapshot: args.name };
    let made = ctx.progress::<SnapshotCreateOp>(&Named { name: args.container }, &create).await?;
    for line in &made.left_out {
        ctx.out.note(&crate::output::clean(line));
    }
    Ok(views::snapshot::made(&made))
}
