//! `volt firewall rule delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::FirewallRuleDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt firewall rule delete no-ssh
  volt firewall rule rm rule-1 rule-2";

/// Remove rules
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The rules
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::rules))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<FirewallRuleDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
