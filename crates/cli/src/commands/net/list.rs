//! `volt net list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::NetListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt net list
  volt net ls -o name";

/// List networks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::net::list(&ctx.call::<NetListOp>(&Nothing {}, &Nothing {}).await?))
}
