//! `volt net policy list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::NetPolicyListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt net policy list
  volt net policy ls -o json";

/// List the policies that are in force
///
/// The default of a network is shown by `volt net inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::firewall::policies(&ctx.call::<NetPolicyListOp>(&Nothing {}, &Nothing {}).await?))
}
