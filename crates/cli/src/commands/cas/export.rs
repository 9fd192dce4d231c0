//! `volt cas export`.

use super::broke_off;
use crate::complete;
use crate::copy::sink::Sink;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap::ValueHint;
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use volt_api::operations::CasExportOp;
use volt_api::types::CasName;

const EXAMPLES: &str = "\
Examples:
  volt cas export rootfs > rootfs.tar
  volt cas export --file rootfs.tar rootfs
  volt cas export rootfs | tar -x --numeric-owner --xattrs --xattrs-include='*' -C /srv/copy";

/// Write a tree out as a tar archive
///
/// The same tree gives the same bytes. What is read is checked: where something is damaged, the command fails and no file appears.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; standard output where nothing or - is said
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// The tree
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    name: String,
}

/// Writes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let mut sink = Sink::open(ctx, args.file.as_deref())?;
    let name = CasName { name: args.name };
    ctx.download::<CasExportOp>(&name, |bytes| sink.write(&bytes)).await.map_err(broke_off)?;
    sink.publish()?;
    Ok(Output::nothing())
}
