//! `volt task list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::TaskListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt task list
  volt task ls -o wide";

/// List tasks, with their next start and how the last run ended
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::task::list(&ctx.call::<TaskListOp>(&Nothing {}, &Nothing {}).await?))
}
