//! `volt cas list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::CasListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt cas list
  volt cas list -o wide";

/// List the trees that have names
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::cas::list(&ctx.call::<CasListOp>(&Nothing {}, &Nothing {}).await?))
}
