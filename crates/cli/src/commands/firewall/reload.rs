//! `volt firewall reload`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::FirewallReloadOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt firewall reload";

/// Put in force what the files of rules and policies say
///
/// They are firewall-rules.json and network-policies.json in /etc/volt. One that is wrong is refused with its line and the reason; then all
/// that was in force stays so.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Does it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::firewall::status(&ctx.call::<FirewallReloadOp>(&Nothing {}, &Nothing {}).await?))
}
