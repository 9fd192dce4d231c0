//! `volt net bridge delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetBridgeDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net bridge delete lan0
  volt net bridge rm lan0 lan1";

/// Remove bridges that were made by `net bridge create` and that nobody uses
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The bridges
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::bridges))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<NetBridgeDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
