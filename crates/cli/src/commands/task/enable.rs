//! `volt task enable`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskEnableOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt task enable backup";

/// Let timers start tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tasks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::tasks))]
    names: Vec<String>,
}

/// Enables them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name: name.clone() };
        ctx.call::<TaskEnableOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
