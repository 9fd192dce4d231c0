//! `volt image tag`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ImageTagOp;
use volt_api::types::{ImageTag, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt image tag debian:trixie base:stable";

/// Give an image a further name
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The image
    #[arg(value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    image: String,
    /// Its further name
    #[arg(value_name = "NAME")]
    to: String,
}

/// Names it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let tag = ImageTag { image: args.image, to: args.to };
    let image = ctx.call::<ImageTagOp>(&tag, &Nothing {}).await?;
    Ok(Output::text(&image, &image.name, format!("{}\n", image.name)))
}
