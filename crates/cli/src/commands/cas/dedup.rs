//! `volt cas dedup`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::CasDedupOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt cas dedup
  volt cas dedup -o json";

/// Say what is stored once in place of many times
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::cas::dedup(&ctx.call::<CasDedupOp>(&Nothing {}, &Nothing {}).await?))
}
