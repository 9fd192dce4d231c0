//! `volt compose pause`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::many;
use crate::output::Outcome;
use volt_api::operations::WorkloadFreezeOp;
use volt_api::types::{ComposeWorkload, Named, Nothing};

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
    let all = project.workloads(ctx, &args.services).await?;
    let wanted = |one: &ComposeWorkload| one.workload.state == "running";
    let names: Vec<String> = all.into_iter().filter(wanted).map(|one| one.workload.name).collect();
    Ok(many::each(&names, async |name| {
        ctx.call::<WorkloadFreezeOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
