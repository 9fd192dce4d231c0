//! `volt cas status`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::CasStatusOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt cas status
  volt cas status -o json";

/// Say what the store has and what that takes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::cas::status(&ctx.call::<CasStatusOp>(&Nothing {}, &Nothing {}).await?))
}
