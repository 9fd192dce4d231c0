//! `volt compose exec`.

use super::project::Project;
use crate::commands::container;
use crate::ctx::Ctx;
use crate::number::whole;
use crate::output::Outcome;
use std::io::IsTerminal;

const EXAMPLES: &str = "\
Examples:
  volt compose exec web cat /etc/hosts
  volt compose exec --index 2 web sh
  echo 'select 1' | volt compose exec -T db psql";

/// Run a command in a container of a service
///
/// Standard input is passed on, and there is a terminal where this is one. The exit code is the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which one of the service; the first that runs where nothing is said
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u32>(1..=100_000))]
    index: Option<u32>,
    /// No terminal, even where this is one
    #[arg(long, short = 'T', visible_alias = "no-TTY")]
    no_tty: bool,
    /// With standard input: as it is anyhow
    #[arg(long, short, hide = true)]
    interactive: bool,
    /// With a terminal: as it is anyhow where this is one
    #[arg(long, short, hide = true)]
    tty: bool,
    /// Who runs the command; the container's user where nothing is said
    #[arg(long, short, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Set an environment variable; NAME alone takes this environment's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Where the command starts
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// The service
    service: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true)]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let exec = container::exec::Args {
        interactive: true,
        tty: terminal && !args.no_tty,
        user: args.user,
        env: args.env,
        workdir: args.workdir,
        name: project.replica(ctx, &args.service, args.index).await?,
        command: args.command,
    };
    container::exec::run(ctx, exec).await
}
