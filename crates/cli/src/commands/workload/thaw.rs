//! `volt workload thaw`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadThawOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt workload thaw web";

/// Let frozen workloads go on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Thaws them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        ctx.call::<WorkloadThawOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
