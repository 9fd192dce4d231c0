//! `volt task disable`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskDisableOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt task disable backup";

/// Let timers start tasks no more; a run that is under way goes on
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tasks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::tasks))]
    names: Vec<String>,
}

/// Disables them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name: name.clone() };
        ctx.call::<TaskDisableOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
