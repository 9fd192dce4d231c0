//! `volt net connect`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetConnectOp;
use volt_api::types::{Named, NetConnect};

const EXAMPLES: &str = "\
Examples:
  volt net connect back web
  volt net connect --ip 10.9.0.20 --alias db back store";

/// Connect a container to a network, also while it runs
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The address that it is to have
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// A further name for it in this network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// The network
    #[arg(value_name = "NETWORK", add = ArgValueCompleter::new(complete::networks))]
    network: String,
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    container: String,
}

/// Connects it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let body = NetConnect { container: args.container, ip: args.ip, aliases: args.alias };
    let container = ctx.call::<NetConnectOp>(&Named { name: args.network }, &body).await?;
    Ok(Output::text(&container, &container.name, format!("{}\n", container.name)))
}
