//! `volt net delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net delete back
  volt net rm back vault";

/// Remove networks that nobody uses
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The networks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::networks))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<NetDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
