//! `volt image list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::ImageListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt image list
  volt image ls -o wide";

/// List images
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::image::list(&ctx.call::<ImageListOp>(&Nothing {}, &Nothing {}).await?))
}
