//! `volt container list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::{ContainerListOp, WorkloadListOp};
use volt_api::types::{ContainerList, Nothing, WorkloadList};

const EXAMPLES: &str = "\
Examples:
  volt container list -a
  volt container ls -o name
  volt container list -o json | jq '.[].image'";

/// List containers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Those that don't run too
    #[arg(long, short)]
    all: bool,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let list = ContainerList { all: args.all };
    let containers = ctx.call::<ContainerListOp>(&list, &Nothing {}).await?;
    // Those of which no more than the name is known are no containers as they are listed here; but they are not to be overlooked.
    let every = WorkloadList { all: args.all, kind: Some("container".into()), stack: None };
    for workload in ctx.call::<WorkloadListOp>(&every, &Nothing {}).await? {
        if let Some(problem) = workload.problem {
            ctx.out.warn(&format!("{}: {problem}", workload.name));
        }
    }
    Ok(views::container::list(&containers))
}
