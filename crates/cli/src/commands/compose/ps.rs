//! `volt compose ps`.

use super::project::{Project, runs};
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;

const EXAMPLES: &str = "\
Examples:
  volt compose ps
  volt compose -p shop ps -a web
  volt compose ps -o name";

/// List what runs of a stack
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What doesn't run too
    #[arg(long, short)]
    all: bool,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Lists it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let mut all = project.workloads(ctx, &args.services).await?;
    // A task is there for the times at which it runs.
    all.retain(|one| args.all || runs(one) || one.workload.kind == "task");
    Ok(views::compose::workloads(&all, args.all))
}
