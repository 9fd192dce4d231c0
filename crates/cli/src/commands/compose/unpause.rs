//! `volt compose unpause`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::many;
use crate::output::Outcome;
use volt_api::operations::WorkloadThawOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt compose unpause
  volt compose -p shop unpause web";

/// Let a stack that is held still go on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Does it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let names = project.those(ctx, &args.services, |one| one.workload.state == "frozen").await?;
    Ok(many::each(&names, async |name| {
        ctx.call::<WorkloadThawOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
