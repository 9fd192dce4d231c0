//! `volt compose pause`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::many;
use crate::output::Outcome;
use volt_api::operations::WorkloadFreezeOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt compose pause
  volt compose -p shop pause web";

/// Hold all processes of a stack still
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Does it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let names = project.those(ctx, &args.services, |one| one.workload.state == "running").await?;
    Ok(many::each(&names, async |name| {
        ctx.call::<WorkloadFreezeOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
