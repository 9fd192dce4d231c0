//! `volt workload inspect`, also `volt inspect` and `volt ps inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::WorkloadInspectOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt inspect web
  volt workload inspect -o json nginx.service";

/// Show all that is known of workloads or units of the host
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::workloads))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let details = ctx.call::<WorkloadInspectOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::workload::details(&details))
    })
    .await)
}
