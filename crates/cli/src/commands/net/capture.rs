//! `volt net capture`.

use crate::complete;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use std::io::{self, IsTerminal};
use volt_api::Problem;
use volt_api::operations::NetCaptureOp;
use volt_api::types::NetCapture;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt net capture web > web.pcap
  volt net capture web | tcpdump -n -r -
  volt net capture --count 100 --network back web tcp port 80 > web.pcap";

/// Write a container's packets as they pass, in the pcap format
///
/// It goes on until it is interrupted, or the container is connected no more.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// By which network; the container's first where nothing is said
    #[arg(long, value_name = "NETWORK", add = ArgValueCompleter::new(complete::networks))]
    network: Option<String>,
    /// End after so many packets
    #[arg(long, short, value_name = "NUMBER", value_parser = whole::<u64>(1..=u64::MAX))]
    count: Option<u64>,
    /// Keep at most so many bytes of each packet
    #[arg(long, short, value_name = "BYTES", value_parser = whole::<u32>(1..=262_144))]
    snap_length: Option<u32>,
    /// The container
    #[arg(value_name = "CONTAINER", add = ArgValueCompleter::new(complete::containers))]
    name: String,
    /// Only packets that this fits, as pcap-filter(7) says it; takes tcpdump on the host
    #[arg(value_name = "FILTER", trailing_var_arg = true)]
    filter: Vec<String>,
}

/// Writes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    if io::stdout().is_terminal() {
        return Err(Problem::new(ErrorKind::Usage, "Packets are nothing for a terminal")
            .hinted("Write them to a file, > FILE, or have them read: | tcpdump -n -r -"));
    }
    if args.count.is_none() {
        ctx.ends_by_signal();
    }
    let capture = NetCapture {
        name: args.name,
        network: args.network,
        filter: (!args.filter.is_empty()).then(|| args.filter.join(" ")),
        count: args.count,
        snap_length: args.snap_length,
    };
    let write = |bytes: bytes::Bytes| {
        if ctx.out.bytes(&bytes) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    ctx.download::<NetCaptureOp>(&capture, write).await?;
    Ok(Output::nothing())
}
