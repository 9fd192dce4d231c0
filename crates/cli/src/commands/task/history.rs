//! `volt task history`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskHistoryOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt task history backup
  volt task history -o json backup";

/// List how the newest runs of a task ended, the newest last
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The task
    #[arg(add = ArgValueCompleter::new(complete::tasks))]
    name: String,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let named = Named { name: args.name };
    Ok(views::task::history(&ctx.call::<TaskHistoryOp>(&named, &Nothing {}).await?))
}
