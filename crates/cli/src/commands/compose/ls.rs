//! `volt compose ls`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::ComposeLsOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt compose ls
  volt compose ls -o json";

/// List stacks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::compose::list(&ctx.call::<ComposeLsOp>(&Nothing {}, &Nothing {}).await?))
}
