//! `volt volume delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::VolumeDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt volume delete data
  volt volume rm data cache";

/// Remove volumes and what is in them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The volumes
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::volumes))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<VolumeDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
