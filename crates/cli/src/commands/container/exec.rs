//! `volt container exec`.

use super::flags::env_value;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use crate::session::{self, Options};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerExecOp;
use volt_api::types::ContainerExec;

const EXAMPLES: &str = "\
Examples:
  volt container exec web cat /etc/os-release
  volt exec -it -u www-data -w /srv web bash
  tar c . | volt exec -i web tar x -C /srv";

/// Run a command in a running container
///
/// It has the container's namespaces, limits and confinement. The exit code is the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Pass standard input on
    #[arg(long, short)]
    pub(crate) interactive: bool,
    /// Give the command a terminal
    #[arg(long, short)]
    pub(crate) tty: bool,
    /// Who runs the command; the container's user where nothing is said
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Set an environment variable; NAME alone takes this environment's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Where the command starts
    #[arg(long, short, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    pub(crate) name: String,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true)]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let options = Options { tty: args.tty, stdin: args.interactive, detach: false };
    session::check_terminal(options)?;
    let mut env: Vec<String> = args.env.iter().filter_map(|text| env_value(text)).collect();
    if args.tty && !env.iter().any(|e| e.starts_with("TERM=")) {
        env.extend(env_value("TERM"));
    }
    let exec = ContainerExec {
        name: args.name,
        command: json(&args.command),
        env: json(&env),
        user: args.user,
        workdir: args.workdir,
        tty: args.tty,
        stdin: args.interactive,
    };
    let stream = ctx.stream::<ContainerExecOp>(&exec);
    Ok(Output::exit(session::run(ctx, stream, options).await?.code()))
}

/// A list of words as the query carries it.
pub(crate) fn json(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}
