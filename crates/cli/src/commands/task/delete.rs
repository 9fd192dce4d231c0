//! `volt task delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskDeleteOp;
use volt_api::types::{Named, Nothing, TaskDelete};

const EXAMPLES: &str = "\
Examples:
  sudo volt task delete backup
  sudo volt task rm --force backup report";

/// Remove tasks, with what they wrote in folders of their own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// End runs that are under way
    #[arg(long, short)]
    force: bool,
    /// The tasks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::tasks))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = TaskDelete { name: name.clone(), force: args.force };
        ctx.call::<TaskDeleteOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
