//! `volt service start`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceStartOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt service start web
  sudo volt service start nginx.service";

/// Start services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Starts them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name: name.clone() };
        ctx.call::<ServiceStartOp>(&named, &Nothing {}).await?;
        Ok(Named { name })
    })
    .await)
}
