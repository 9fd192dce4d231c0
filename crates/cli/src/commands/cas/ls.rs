//! `volt cas ls`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::CasLsOp;
use volt_api::types::{CasLs, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt cas ls rootfs
  volt cas ls rootfs etc
  volt cas ls -o wide --recursive rootfs usr/bin";

/// List what is in a folder of a tree
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// All that is below it
    #[arg(long, short = 'R')]
    recursive: bool,
    /// The tree
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    name: String,
    /// The folder or file in it; bytes that are no text as \xHH
    #[arg(value_name = "PATH", default_value = "/")]
    path: String,
}

/// Lists it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let ls = CasLs { name: args.name, path: args.path, recursive: args.recursive };
    Ok(views::cas::entries(&ctx.call::<CasLsOp>(&ls, &Nothing {}).await?))
}
