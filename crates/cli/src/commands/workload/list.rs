//! `volt workload list`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadListOp;
use volt_api::types::{Nothing, WorkloadList};

const EXAMPLES: &str = "\
Examples:
  volt workload list -a
  volt workload ls --kind container
  volt workload list --stack shop";

/// List workloads of every kind, those of a stack under its name
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Those that don't run too
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Only of this kind: container, service or task
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only of this stack
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::stacks))]
    pub(crate) stack: Option<String>,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let list = WorkloadList { all: args.all, kind: args.kind, stack: args.stack };
    let workloads = ctx.call::<WorkloadListOp>(&list, &Nothing {}).await?;
    Ok(views::workload::list(&workloads, list.all))
}
