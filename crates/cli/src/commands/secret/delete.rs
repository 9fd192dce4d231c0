//! `volt secret delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::SecretDeleteOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt secret delete db-password
  volt secret rm session-key db-password";

/// Remove secrets
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The secrets
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::secrets))]
    names: Vec<String>,
}

/// Removes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let named = Named { name };
        ctx.call::<SecretDeleteOp>(&named, &Nothing {}).await?;
        Ok(named)
    })
    .await)
}
