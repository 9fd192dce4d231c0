//! `volt net status`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetStatusOp;
use volt_api::types::{NetStatus, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net status
  volt net status -o wide back";

/// Show who is connected at this moment, and what goes through
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only this network
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::networks))]
    network: Option<String>,
}

/// Shows it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let asked = NetStatus { network: args.network };
    Ok(views::net::status(&ctx.call::<NetStatusOp>(&asked, &Nothing {}).await?))
}
