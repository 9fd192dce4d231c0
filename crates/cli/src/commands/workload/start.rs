//! `volt workload start`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadStartOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt workload start web
  volt workload start nginx.service";

/// Start workloads
///
/// A unit of the host is named with its suffix, such as nginx.service; only root may start one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Starts them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        ctx.call::<WorkloadStartOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
