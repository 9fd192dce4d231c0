//! `volt net tap delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetTapDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net tap delete db
  volt net tap rm db web";

/// Remove TAPs; a machine that has one open is cut off
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The TAPs
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::taps))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<NetTapDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
