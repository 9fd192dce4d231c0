//! `volt image delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ImageDeleteOp;
use volt_api::types::{ImageName, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt image delete base:stable
  volt image rm a b c";

/// Remove names of images, and an image with its last name
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The images
    #[arg(value_name = "IMAGE", required = true, add = ArgValueCompleter::new(complete::images))]
    images: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.images, async |image| {
        let name = ImageName { image };
        ctx.call::<ImageDeleteOp>(&name, &Nothing {}).await?;
        Ok(name)
    })
    .await)
}
