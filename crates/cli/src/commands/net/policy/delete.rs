//! `volt net policy delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetPolicyDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net policy delete web-db
  volt net policy rm web-db office";

/// Remove policies
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The policies
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::policies))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<NetPolicyDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
