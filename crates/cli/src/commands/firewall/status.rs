//! `volt firewall status`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::FirewallStatusOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt firewall status
  volt firewall status -o json";

/// Say how the firewall stands
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::firewall::status(&ctx.call::<FirewallStatusOp>(&Nothing {}, &Nothing {}).await?))
}
