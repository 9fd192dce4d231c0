//! `volt daemon`.

use crate::ctx::Ctx;
use crate::embed::DaemonArgs;
use std::process::ExitCode;
use std::time::Duration;
use volt_model::time::parse_span;

const EXAMPLES: &str = "\
Examples:
  systemctl start volt.socket     The usual way: systemd starts the daemon when it is asked something
  volt daemon --debug             In this terminal
  volt daemon --idle 10m";

/// Serve the API on its socket
///
/// systemd starts it through volt.socket. It leaves when it has had no duty for a while; workloads go on without it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Leave after so long without a duty; 0 never
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    idle: Option<Duration>,
}

/// Hands over to the daemon.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> ExitCode {
    (ctx.embed.run_daemon)(DaemonArgs {
        root: ctx.global.root.clone(),
        config: ctx.global.config.clone(),
        idle: args.idle,
        debug: ctx.global.debug,
    })
}
