//! `volt container export`.

use crate::complete;
use crate::copy::sink::Sink;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap::ValueHint;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use volt_api::operations::ContainerExportOp;
use volt_api::types::Named;

const EXAMPLES: &str = "\
Examples:
  volt container export web > web.tar
  volt container export --file web.tar web
  volt container export web | zstd > web.tar.zst";

/// Write a container's root out as a tar archive
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; standard output where nothing is said
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
}

/// Writes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let mut sink = Sink::open(ctx, args.file.as_deref())?;
    let named = Named { name: args.name };
    ctx.download::<ContainerExportOp>(&named, |bytes| sink.write(&bytes)).await?;
    sink.publish()?;
    Ok(Output::nothing())
}
