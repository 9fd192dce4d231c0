//! `volt volume list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::VolumeListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt volume list
  volt volume ls -o name";

/// List volumes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::volume::list(&ctx.call::<VolumeListOp>(&Nothing {}, &Nothing {}).await?))
}
