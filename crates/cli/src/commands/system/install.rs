//! `volt system install`.

use crate::ctx::Ctx;
use crate::embed::InstallArgs;
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
Examples:
  sudo volt system install
  volt system install --dry-run";

/// Install Volt's units and folders on this host
///
/// The package does this by itself; this is for a binary that was copied.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Installs.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Outcome {
    let root = ctx.global.root.clone();
    let install = InstallArgs { root, dry_run: args.dry_run, ..InstallArgs::default() };
    told((ctx.embed.system_install)(install)?)
}

/// What was done, a line each.
pub(super) fn told(lines: Vec<String>) -> Outcome {
    let data = lines.iter().map(|line| line.as_str().into()).collect();
    Ok(Output::done(lines, vec![serde_json::Value::Array(data)]))
}
