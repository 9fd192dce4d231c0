//! `volt cas diff`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::CasDiffOp;
use volt_api::types::{CasDiff, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt cas diff rootfs:1 rootfs:2
  volt cas diff -o json rootfs:1 rootfs:2";

/// Compare two trees
///
/// A line for each path: + only in the second, - only in the first, ~ in both with what is not the same.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The one
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    from: String,
    /// The other
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    to: String,
}

/// Compares them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let diff = CasDiff { from: args.from, to: args.to };
    Ok(views::cas::changes(&ctx.call::<CasDiffOp>(&diff, &Nothing {}).await?))
}
