//! `volt net tap create`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::NetTapCreateOp;
use volt_api::types::{NetTapCreate, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net tap create db
  volt net tap create --network machines --owner alice --ip 10.0.1.9 db
  volt net tap list";

/// Make a TAP: an interface that a virtual machine of yours is a member of a network by
///
/// The machine has an address and a name like a container, and is held to its hardware address. What the interface is called and which
/// hardware address the machine must have is printed. It is there again after a boot.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The network; `volt0` where nothing is said
    #[arg(long, add = ArgValueCompleter::new(complete::networks))]
    network: Option<String>,
    /// The address that the machine is to have
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<String>,
    /// Who may open it, beside root
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// What the machine is called
    name: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create =
        NetTapCreate { name: args.name, network: args.network, ip: args.ip, owner: args.owner };
    Ok(views::net::tap(&ctx.call::<NetTapCreateOp>(&Nothing {}, &create).await?))
}
