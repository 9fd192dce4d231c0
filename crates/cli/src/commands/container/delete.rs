//! `volt container delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerDeleteOp;
use volt_api::types::{ContainerDelete, Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container delete web
  volt rm -f web db";

/// Remove containers and what they wrote
///
/// Volumes stay; snapshots go with their container.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Stop those that run
    #[arg(long, short)]
    force: bool,
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let delete = ContainerDelete { name: name.clone(), force: args.force };
        ctx.call::<ContainerDeleteOp>(&delete, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
