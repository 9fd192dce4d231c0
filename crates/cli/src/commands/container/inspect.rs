//! `volt container inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerInspectOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container inspect web
  volt container inspect -o json web db";

/// Show all that is known of containers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let container = ctx.call::<ContainerInspectOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::container::details(&container))
    })
    .await)
}
