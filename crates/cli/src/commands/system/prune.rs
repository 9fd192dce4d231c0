//! `volt system prune`.

use crate::ask;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::SystemPruneOp;
use volt_api::types::{Nothing, SystemPrune};

const EXAMPLES: &str = "\
Examples:
  volt system prune --dry-run
  sudo volt system prune --images --yes
  sudo volt system prune --all";

/// Remove what nothing uses
///
/// Leftovers and the cache always; images and volumes that no container uses where they are named.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Images that no container uses
    #[arg(long)]
    images: bool,
    /// Volumes that no container mounts
    #[arg(long)]
    volumes: bool,
    /// Both
    #[arg(long, short)]
    all: bool,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

/// Removes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let prune = SystemPrune {
        images: args.images || args.all,
        volumes: args.volumes || args.all,
        dry_run: args.dry_run,
    };
    if !args.dry_run && (prune.images || prune.volumes) {
        let look = SystemPrune { dry_run: true, ..prune.clone() };
        let found = ctx.call::<SystemPruneOp>(&Nothing {}, &look).await?;
        if !found.removed.is_empty() {
            for line in &found.removed {
                ctx.out.note(&crate::output::clean(line));
            }
            ask::confirmed(ctx, "Remove all of these?").await?;
        }
    }
    let pruned = ctx.call::<SystemPruneOp>(&Nothing {}, &prune).await?;
    Ok(views::system::pruned(&pruned, args.dry_run))
}
