//! `volt service enable`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceEnableOp;
use volt_api::types::{Named, Nothing, ServiceEnable};

const EXAMPLES: &str = "\
Examples:
  sudo volt service enable web
  sudo volt service enable --now web worker";

/// Let services come up at boot
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Start them now too
    #[arg(long)]
    now: bool,
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Enables them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = ServiceEnable { name: name.clone(), now: args.now };
        ctx.call::<ServiceEnableOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
