//! `volt net bridge list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::NetBridgeListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt net bridge list
  volt net bridge ls -o wide";

/// List all bridges of the host, and what is plugged in
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::net::bridges(&ctx.call::<NetBridgeListOp>(&Nothing {}, &Nothing {}).await?))
}
