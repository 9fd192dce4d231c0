//! `volt net policy default`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetPolicyDefaultOp;
use volt_api::types::{Named, NetPolicyDefault};

const EXAMPLES: &str = "\
Examples:
  volt net policy default back deny
  volt net policy default --ingress back deny
  volt net policy default back allow";

/// Say what is done in a network with what no policy is about
///
/// With `deny` its members reach nobody and nobody reaches them, by published ports neither, but for what policies allow. The host itself
/// reaches them as before.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only for what comes to members
    #[arg(long, conflicts_with = "egress")]
    ingress: bool,
    /// Only for what members begin
    #[arg(long)]
    egress: bool,
    /// The network
    #[arg(value_name = "NETWORK", add = ArgValueCompleter::new(complete::networks))]
    name: String,
    /// What is done
    #[arg(value_parser = ["allow", "deny"])]
    action: String,
}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let direction = match (args.ingress, args.egress) {
        (true, _) => Some("ingress".to_owned()),
        (_, true) => Some("egress".to_owned()),
        _ => None,
    };
    let wanted = NetPolicyDefault { action: args.action, direction };
    let network = ctx.call::<NetPolicyDefaultOp>(&Named { name: args.name }, &wanted).await?;
    Ok(views::firewall::default(&network))
}
