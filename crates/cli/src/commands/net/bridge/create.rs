//! `volt net bridge create`.

use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::operations::NetBridgeCreateOp;
use volt_api::types::{NetBridgeCreate, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net bridge create lan0
  volt net bridge create --port eth1 --port eth2 --mtu 9000 lan0";

/// Make a bridge without a network: nothing but a switch
///
/// It has no subnet and no firewall, and is there again after a boot. An interface that is plugged in passes everything on to the bridge:
/// addresses that it has are of no use any more.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Plug in an interface of the host
    #[arg(long, value_name = "INTERFACE")]
    port: Vec<String>,
    /// The largest packet, in bytes
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// What to call it
    name: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = NetBridgeCreate { name: args.name, mtu: args.mtu, ports: args.port };
    let bridge = ctx.call::<NetBridgeCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&bridge, &bridge.name, format!("{}\n", bridge.name)))
}
