//! `volt service kill`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ServiceKillOp;
use volt_api::types::{Nothing, ServiceKill};

const EXAMPLES: &str = "\
Examples:
  volt service kill web
  volt service kill --signal HUP web";

/// Send a signal to all processes of services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The signal, by name or number; KILL where nothing is said
    #[arg(long, short, value_name = "SIGNAL")]
    signal: Option<String>,
    /// The services; a unit of the host by its full name
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::services))]
    names: Vec<String>,
}

/// Sends it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    Ok(many::each(&args.names, async |name| {
        let kill = ServiceKill { name, signal: args.signal.clone() };
        ctx.call::<ServiceKillOp>(&kill, &Nothing {}).await
    })
    .await)
}
