//! `volt system info`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::SystemInfoOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt system info
  volt system info -o json";

/// Describe this host and what Volt has on it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Describes it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::system::info(&ctx.call::<SystemInfoOp>(&Nothing {}, &Nothing {}).await?))
}
