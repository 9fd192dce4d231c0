//! `volt image push`.

use crate::accounts;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, size};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ImagePushOp;
use volt_api::types::{ImagePush, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt image push registry.example/team/app:1.2
  volt push app registry.example/team/app:1.2
  volt image push --compression zstd app registry.example/team/app
  volt image push --with app:arm app:amd registry.example/team/app";

/// Send an image to a registry
///
/// Only what is not there is sent. What was pulled goes as it was, byte for byte; all else as one layer, made the same way each
/// time. Who you are there is read from what `volt login`, `docker login` and `podman login` have written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// An image for another platform that goes under the same name; an index has them all
    #[arg(long, value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    with: Vec<String>,
    /// Make one layer of it, compressed by gzip or zstd, also of what was pulled
    #[arg(long, value_name = "COMPRESSION", value_parser = ["gzip", "zstd"])]
    compression: Option<String>,
    /// The image, or stellarium:// and a tree of the store
    #[arg(value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    image: String,
    /// What it is to be called there, with the registry's name; as here where nothing is said
    #[arg(value_name = "DEST")]
    to: Option<String>,
}

/// Sends it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let account = accounts::of(ctx, args.to.as_ref().unwrap_or(&args.image)).await?;
    let push = ImagePush {
        image: args.image,
        to: args.to,
        with: args.with,
        compression: args.compression,
        account,
    };
    let pushed = ctx.progress::<ImagePushOp>(&Nothing {}, &push).await?;
    let (sent, present) = (size(pushed.sent), size(pushed.present));
    let text = format!("{} {}\n{sent} sent, {present} were there\n", pushed.name, pushed.digest);
    Ok(Output::text(&pushed, &pushed.name, text))
}
