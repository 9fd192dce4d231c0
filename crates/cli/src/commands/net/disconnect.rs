//! `volt net disconnect`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetDisconnectOp;
use volt_api::types::{Named, NetDisconnect};

const EXAMPLES: &str = "\
Examples:
  volt net disconnect back web";

/// Disconnect a container from a network
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The network
    #[arg(value_name = "NETWORK", add = ArgValueCompleter::new(complete::networks))]
    network: String,
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
}

/// Disconnects it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let body = NetDisconnect { container: args.container };
    let container = ctx.call::<NetDisconnectOp>(&Named { name: args.network }, &body).await?;
    Ok(Output::text(&container, &container.name, format!("{}\n", container.name)))
}
