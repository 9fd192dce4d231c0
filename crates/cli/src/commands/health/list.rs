//! `volt health list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::HealthListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt health list
  volt health ls -o json";

/// List the health of all workloads that have a check
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::health::list(&ctx.call::<HealthListOp>(&Nothing {}, &Nothing {}).await?))
}
