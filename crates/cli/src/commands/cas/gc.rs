//! `volt cas gc`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::CasGcOp;
use volt_api::types::{CasGc, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt cas gc --dry-run
  sudo volt cas gc";

/// Remove what nothing in the store reaches
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

/// Removes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let gc = CasGc { dry_run: args.dry_run };
    Ok(views::cas::swept(&ctx.call::<CasGcOp>(&Nothing {}, &gc).await?, args.dry_run))
}
