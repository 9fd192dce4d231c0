//! `volt workload freeze`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadFreezeOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt workload freeze web
  volt workload thaw web";

/// Hold all processes of workloads still
///
/// They keep their memory and connections, and use no CPU.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Freezes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        ctx.call::<WorkloadFreezeOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
