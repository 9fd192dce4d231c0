//! `volt dns serve`.

use crate::ctx::Ctx;
use crate::embed::DnsArgs;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  systemctl status volt-dns.service      The usual way: systemd runs it while containers are on networks
  systemctl restart volt-dns.service     It answers at once again, from its table
  volt dns serve                         In this terminal, with the right to listen on port 53";

/// Answer for the names of workloads on their networks
///
/// It listens at the gateway of every network that has names, answers from the table in /run/volt/dns.json, and asks the host's
/// resolvers for all other names.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Hands over to the server.
pub(crate) fn run(ctx: &Ctx, Args {}: &Args) -> ExitCode {
    (ctx.embed.run_dns)(DnsArgs { root: ctx.global.root.clone() })
}
