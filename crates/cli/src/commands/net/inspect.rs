//! `volt net inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetInspectOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net inspect volt0
  volt net inspect -o json volt0 back";

/// Show all that is known of networks, with their members
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The networks
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::networks))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let network = ctx.call::<NetInspectOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::net::details(&network))
    })
    .await)
}
