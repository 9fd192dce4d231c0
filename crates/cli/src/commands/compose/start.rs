//! `volt compose start`.

use super::project::Project;
use super::up::told;
use crate::ctx::Ctx;
use crate::output::Outcome;
use volt_api::operations::ComposeStartOp;
use volt_api::types::ComposeServices;

const EXAMPLES: &str = "\
Examples:
  volt compose start
  volt compose -p shop start web";

/// Start what there is of a stack, in its order
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Does it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let services = ComposeServices { services: args.services, timeout: None };
    let done = ctx.steps::<ComposeStartOp>(&project.named()?, &services).await?;
    Ok(told(ctx, &done, "running"))
}
