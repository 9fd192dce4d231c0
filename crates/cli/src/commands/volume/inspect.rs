//! `volt volume inspect`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::VolumeInspectOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt volume inspect data
  volt volume inspect -o json data cache";

/// Show all that is known of volumes, with their sizes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The volumes
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::volumes))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let volume = ctx.call::<VolumeInspectOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::volume::details(&volume))
    })
    .await)
}
