//! `volt system uninstall`.

use super::install::told;
use crate::ask;
use crate::ctx::Ctx;
use crate::embed::InstallArgs;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  sudo volt system uninstall
  sudo volt system uninstall --purge --yes";

/// Take Volt's units off this host
///
/// Containers, images, volumes and the configuration stay, unless --purge is given.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Take containers, images, volumes and the configuration away too
    #[arg(long)]
    purge: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Uninstalls.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Outcome {
    if args.purge && !args.dry_run {
        ask::confirm(ctx, "Remove all containers, images and volumes of this host?")?;
    }
    told((ctx.embed.system_install)(InstallArgs {
        uninstall: true,
        purge: args.purge,
        root: ctx.global.root.clone(),
        dry_run: args.dry_run,
    })?)
}
