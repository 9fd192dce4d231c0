//! `volt container start`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerStartOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container start web
  volt start web db cache";

/// Start containers
///
/// Returns when their commands run.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Starts them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        ctx.call::<ContainerStartOp>(&Named { name }, &Nothing {}).await
    })
    .await)
}
