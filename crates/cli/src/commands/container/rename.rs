//! `volt container rename`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerRenameOp;
use volt_api::types::{ContainerRename, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container rename web web-old";

/// Give a stopped container another name
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
    /// Its new name
    to: String,
}

/// Renames it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let rename = ContainerRename { name: args.name, to: args.to };
    let container = ctx.call::<ContainerRenameOp>(&rename, &Nothing {}).await?;
    Ok(Output::text(&container, &container.name, format!("{}\n", container.name)))
}
