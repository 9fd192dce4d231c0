//! `volt container list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::ContainerListOp;
use volt_api::types::{ContainerList, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container list -a
  volt container ls -o name
  volt container list -o json | jq '.[].image'";

/// List containers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Those that don't run too
    #[arg(long, short)]
    all: bool,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let list = ContainerList { all: args.all };
    let containers = ctx.call::<ContainerListOp>(&list, &Nothing {}).await?;
    Ok(views::container::list(&containers))
}
