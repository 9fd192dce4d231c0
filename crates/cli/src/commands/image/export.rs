//! `volt image export`.

use crate::complete;
use crate::copy::sink::Sink;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap::ValueHint;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use volt_api::operations::ImageExportOp;
use volt_api::types::ImageExport;

const EXAMPLES: &str = "\
Examples:
  volt image export debian > debian.tar
  volt image export --compress zstd --file debian.tar.zst debian
  volt image export --format oci --file debian.oci debian
  volt image export --format docker debian | docker load";

/// Write an image out as a tar archive
///
/// Of its root file system, or as other tools read images.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; standard output where nothing is said
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// How to compress it: none, gzip, xz or zstd
    #[arg(long, visible_alias = "compression", value_name = "METHOD")]
    #[arg(value_parser = ["none", "gzip", "xz", "zstd"], hide_possible_values = true)]
    compress: Option<String>,
    /// What to write: rootfs, oci (an OCI layout) or docker (what docker load takes)
    #[arg(long, value_name = "FORMAT")]
    #[arg(value_parser = ["rootfs", "oci", "docker"], hide_possible_values = true)]
    format: Option<String>,
    /// The image, or stellarium:// and a tree of the store
    #[arg(value_name = "IMAGE", add = ArgValueCompleter::new(complete::images))]
    image: String,
}

/// Writes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let mut sink = Sink::open(ctx, args.file.as_deref())?;
    let export = ImageExport { image: args.image, compression: args.compress, format: args.format };
    ctx.download::<ImageExportOp>(&export, |bytes| sink.write(&bytes)).await?;
    sink.publish()?;
    Ok(Output::nothing())
}
