//! `volt firewall rule list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::FirewallRuleListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt firewall rule list
  volt firewall rule ls -o json";

/// List the rules that are in force
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::firewall::rules(&ctx.call::<FirewallRuleListOp>(&Nothing {}, &Nothing {}).await?))
}
