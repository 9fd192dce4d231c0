//! `volt net create`.

use crate::commands::container::flags::label;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::operations::NetCreateOp;
use volt_api::types::{NetCreate, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt net create back
  volt net create --subnet 10.9.0.0/24 --ipv6 fd00:9::/64 back
  volt net create --internal --isolate vault
  volt net create --dhcp machines";

/// Make a network with its bridge
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Its IPv4 subnet; a free private one where nothing is said
    #[arg(long, value_name = "CIDR")]
    subnet: Option<String>,
    /// Its IPv6 subnet
    #[arg(long, value_name = "CIDR")]
    ipv6: Option<String>,
    /// Let its members reach nothing outside
    #[arg(long)]
    internal: bool,
    /// Keep its members from each other
    #[arg(long)]
    isolate: bool,
    /// Let its members ask the host's servers for names, in place of Volt
    #[arg(long)]
    no_dns: bool,
    /// Let its members ask for their addresses by DHCP, as virtual machines do
    #[arg(long)]
    dhcp: bool,
    /// The largest packet, in bytes
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// What to call it, as an option
    #[arg(long = "name", value_name = "NAME", conflicts_with = "name", hide = true)]
    named: Option<String>,
    /// What to call it
    #[arg(required_unless_present = "named")]
    name: Option<String>,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = NetCreate {
        name: args.name.or(args.named).unwrap_or_default(),
        subnet: args.subnet,
        ipv6: args.ipv6,
        internal: args.internal,
        isolate: args.isolate,
        no_dns: args.no_dns,
        dhcp: args.dhcp,
        mtu: args.mtu,
        labels: args.label.into_iter().collect(),
    };
    let network = ctx.call::<NetCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&network, &network.name, format!("{}\n", network.name)))
}
