//! `volt service delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceDeleteOp;
use volt_api::types::{Named, Nothing, ServiceDelete};

const EXAMPLES: &str = "\
Examples:
  sudo volt service delete web
  sudo volt service rm --force web worker";

/// Remove services, with what they wrote in folders of their own
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Stop them first, where they run
    #[arg(long, short)]
    force: bool,
    /// The services
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = ServiceDelete { name: name.clone(), force: args.force };
        ctx.call::<ServiceDeleteOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
