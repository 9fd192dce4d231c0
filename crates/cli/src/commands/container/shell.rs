//! `volt container shell`.

use super::exec;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::Outcome;
use clap_complete::engine::ArgValueCompleter;
use std::io::IsTerminal;

const EXAMPLES: &str = "\
Examples:
  volt container shell web
  volt shell -u www-data web
  echo 'uname -a' | volt shell web";

/// Open a login shell in a running container
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Whose shell; the container's user where nothing is said
    #[arg(long, short, value_name = "USER")]
    user: Option<String>,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
}

/// Opens it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let shell = exec::Args {
        interactive: true,
        tty: std::io::stdin().is_terminal(),
        user: args.user,
        env: Vec::new(),
        workdir: None,
        name: args.name,
        command: Vec::new(),
    };
    exec::run(ctx, shell).await
}
