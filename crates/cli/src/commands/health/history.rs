//! `volt health history`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::HealthHistoryOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt health history web
  volt health history -o json web";

/// List what became of a workload's health, the oldest first
///
/// The last 100 changes, failures and restarts are kept.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workload
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::containers))]
    name: String,
}

/// Lists it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let named = Named { name: args.name };
    Ok(views::health::history(&ctx.call::<HealthHistoryOp>(&named, &Nothing {}).await?))
}
