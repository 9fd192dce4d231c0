//! `volt image inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ImageInspectOp;
use volt_api::types::{ImageName, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt image inspect debian
  volt image inspect -o yaml debian:trixie";

/// Show all that is known of images
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The images, or stellarium:// and trees of the store
    #[arg(value_name = "IMAGE", required = true, add = ArgValueCompleter::new(complete::images))]
    images: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.images, async |image| {
        let image = ctx.call::<ImageInspectOp>(&ImageName { image }, &Nothing {}).await?;
        Ok(views::image::details(&image))
    })
    .await)
}
