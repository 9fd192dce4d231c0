//! `volt net tap list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::NetTapListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt net tap list
  volt net tap ls -o wide";

/// List TAPs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::net::taps(&ctx.call::<NetTapListOp>(&Nothing {}, &Nothing {}).await?))
}
