//! `volt system df`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::SystemDfOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt system df
  volt system df -o json";

/// Measure the disk space that Volt uses
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Measures it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::system::disk(&ctx.call::<SystemDfOp>(&Nothing {}, &Nothing {}).await?))
}
