//! `volt service restart`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceRestartOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt service restart web";

/// Stop services and start them again
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Restarts them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name: name.clone() };
        ctx.call::<ServiceRestartOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
