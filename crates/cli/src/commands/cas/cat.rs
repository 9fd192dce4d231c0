//! `volt cas cat`.

use super::broke_off;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use std::io;
use volt_api::operations::CasCatOp;
use volt_api::types::CasPath;

const EXAMPLES: &str = "\
Examples:
  volt cas cat rootfs etc/os-release
  volt cas cat rootfs usr/bin/env > env
  volt cas cat stellarium://blake3:7d5a…b20f";

/// Read a file of a tree, or an object
///
/// What is read is checked: where it is damaged, the command fails, after part of a large file may have been written.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tree; where no PATH is given, the digest of an object
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    name: String,
    /// The file in it; bytes that are no text as \xHH
    #[arg(value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
}

/// Reads it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let file = CasPath { name: args.name, path: args.path };
    let write = |bytes: bytes::Bytes| {
        if ctx.out.bytes(&bytes) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    ctx.download::<CasCatOp>(&file, write).await.map_err(broke_off)?;
    Ok(Output::nothing())
}
