//! `volt health status`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::HealthStatusOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt health status web
  volt health status -o json web db";

/// Show how workloads are, and what is looked at to know it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The workloads
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let health = ctx.call::<HealthStatusOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::health::details(&health))
    })
    .await)
}
