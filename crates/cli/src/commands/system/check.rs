//! `volt system check`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::{SystemCheckOp, SystemRepairOp};
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt system check
  sudo volt system check --repair
  volt system check -o json | jq '.checks[] | select(.state != \"ok\") | .remedy'";

/// Say what this host can do, and what is amiss in Volt's own state
///
/// What is missing comes with the command that mends it. The exit code is 1 when something is amiss in Volt's own state.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Mend what is amiss in Volt's own state
    #[arg(long)]
    repair: bool,
}

/// Checks.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let check = if args.repair {
        ctx.call::<SystemRepairOp>(&Nothing {}, &Nothing {}).await?
    } else {
        ctx.call::<SystemCheckOp>(&Nothing {}, &Nothing {}).await?
    };
    Ok(views::system::check(&check, ctx.out.is_coloured()))
}
