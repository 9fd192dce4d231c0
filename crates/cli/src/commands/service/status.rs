//! `volt service status`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceStatusOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt service status web
  volt service status -o json nginx.service";

/// Show how services are
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::inspect(&args.names, async |name| {
        let service = ctx.call::<ServiceStatusOp>(&Named { name }, &Nothing {}).await?;
        Ok(views::service::details(&service))
    })
    .await)
}
