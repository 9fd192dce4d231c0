//! `volt service disable`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceDisableOp;
use volt_api::types::{Named, Nothing, ServiceEnable};

const EXAMPLES: &str = "\
Examples:
  sudo volt service disable web
  sudo volt service disable --now web";

/// Let services come up at boot no more
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Stop them now too
    #[arg(long)]
    now: bool,
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Disables them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = ServiceEnable { name: name.clone(), now: args.now };
        ctx.call::<ServiceDisableOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
