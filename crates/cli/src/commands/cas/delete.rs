//! `volt cas delete`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::CasDeleteOp;
use volt_api::types::{CasName, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt cas delete web/root:1
  sudo volt cas rm old older";

/// Take away names that were built
///
/// What nothing else needs then goes with `volt cas gc`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The names
    #[arg(value_name = "REF", required = true, add = ArgValueCompleter::new(complete::trees))]
    names: Vec<String>,
}

/// Takes them away.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let name = CasName { name };
        ctx.call::<CasDeleteOp>(&name, &Nothing {}).await?;
        Ok(name)
    })
    .await)
}
