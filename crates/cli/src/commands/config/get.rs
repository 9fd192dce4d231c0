//! `volt config get`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, views};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ConfigGetOp;
use volt_api::types::{ConfigKey, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt config get container.network
  volt config get daemon.idle_seconds -o json";

/// Print the value of one key of the configuration
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The key, with dots
    #[arg(add = ArgValueCompleter::new(complete::config_keys))]
    key: String,
}

/// Prints it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let value = ctx.call::<ConfigGetOp>(&ConfigKey { key: args.key }, &Nothing {}).await?;
    Ok(views::system::config_value(&value))
}
