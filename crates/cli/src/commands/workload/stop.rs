//! `volt workload stop`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadStopOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt workload stop web
  volt workload stop nginx.service";

/// Stop workloads
///
/// A unit of the host is named with its suffix, such as nginx.service; only root may stop one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Stops them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        ctx.call::<WorkloadStopOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
