//! `volt config show`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::ConfigShowOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt config show
  volt config show -o wide       With what each key is for";

/// Show every key of the configuration with its value
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::system::config(&ctx.call::<ConfigShowOp>(&Nothing {}, &Nothing {}).await?))
}
