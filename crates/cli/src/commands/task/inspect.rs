//! `volt task inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::TaskInspectOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt task inspect backup";

/// Show all that is known of tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tasks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::tasks))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let task = ctx.call::<TaskInspectOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::task::details(&task))
    })
    .await)
}
