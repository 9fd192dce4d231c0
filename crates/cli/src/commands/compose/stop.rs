//! `volt compose stop`.

use super::project::Project;
use super::up::told;
use crate::ctx::Ctx;
use crate::number::seconds;
use crate::output::Outcome;
use volt_api::operations::ComposeStopOp;
use volt_api::types::ComposeServices;

const EXAMPLES: &str = "\
Examples:
  volt compose stop
  volt compose -p shop stop web";

/// Stop what runs of a stack, against its order
///
/// As a whole it doesn't come up at boot any more, until it is started again.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Seconds that each has to end, in place of its own
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS", value_parser = seconds)]
    time: Option<u32>,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Does it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let services = ComposeServices { services: args.services, timeout: args.time };
    let done = ctx.steps::<ComposeStopOp>(&project.named()?, &services).await?;
    Ok(told(ctx, &done, "stopped"))
}
