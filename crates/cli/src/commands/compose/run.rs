//! `volt compose run`.

use super::project::{Project, document, placed};
use super::pull;
use super::up::unknown;
use crate::commands::container::flags::env_value;
use crate::commands::run;
use crate::ctx::{Ctx, Made};
use crate::output::Outcome;
use crate::session::{self, Options};
use std::io::IsTerminal;
use volt_api::Problem;
use volt_api::operations::ComposeRunOp;
use volt_api::types::{ComposeRun, ComposeUp, Named};
use volt_compose::plan::Options as Plan;
use volt_model::kind::ErrorKind;
use volt_model::words;

const EXAMPLES: &str = "\
Examples:
  volt compose run --rm web sh
  volt compose run --rm -e DEBUG=1 --no-deps worker ./migrate
  volt compose run -d --name import worker ./import";

/// Run a command in a new container like those of a service
///
/// What the service depends on is brought up first. The container has the service's image, variables, networks and volumes, but not
/// its ports, its names and fixed addresses, or its health check. The exit code is the command's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Let it run, print its name, and don't connect
    #[arg(long, short)]
    detach: bool,
    /// Remove the container when it ends
    #[arg(long)]
    rm: bool,
    /// Without what the service depends on
    #[arg(long)]
    no_deps: bool,
    /// No terminal, even where this is one
    #[arg(long, short = 'T', visible_alias = "no-TTY")]
    no_tty: bool,
    /// With standard input: as it is anyhow
    #[arg(long, short, hide = true)]
    interactive: bool,
    /// With a terminal: as it is anyhow where this is one
    #[arg(long, short, hide = true)]
    tty: bool,
    /// The ports of the service too
    #[arg(long, short = 'P')]
    service_ports: bool,
    /// What to call the container
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// In place of the entrypoint
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// Set an environment variable; NAME alone takes this environment's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Who runs the command
    #[arg(long, short, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Where it starts
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// The service
    service: String,
    /// The command and its arguments, in place of the service's
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let service = std::slice::from_ref(&args.service);
    let loaded = project.load(ctx, service)?;
    let stack = &loaded.stack;
    if !stack.services.contains_key(&args.service) {
        return Err(unknown(stack, &args.service));
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let (tty, stdin) = (terminal && !args.no_tty && !args.detach, !args.detach);
    let mut env: Vec<String> = args.env.iter().filter_map(|text| env_value(text)).collect();
    if tty && !env.iter().any(|e| e.starts_with("TERM=")) {
        env.extend(env_value("TERM"));
    }
    let chosen = Plan {
        services: vec![args.service.clone()],
        no_dependencies: args.no_deps,
        ..Plan::default()
    };
    let whole = document(&loaded, stack, &chosen)?;
    let up = ComposeUp { services: service.to_vec(), no_deps: args.no_deps, ..whole.clone() };
    let placed = |problem| placed(&loaded, problem);
    let how = pull::How::by_the_files();
    pull::missing(ctx, (stack, &loaded.variables), &up, &how).await.map_err(placed)?;
    let entrypoint = args.entrypoint.as_deref().map(words::split).transpose().map_err(|error| {
        Problem::new(ErrorKind::Usage, format!("--entrypoint can't be used: {error}"))
    })?;
    let asked = ComposeRun {
        document: whole.document,
        files: whole.files,
        secrets: whole.secrets,
        no_deps: args.no_deps,
        service: args.service,
        command: args.command,
        entrypoint,
        env,
        user: args.user,
        workdir: args.workdir,
        container: args.name,
        auto_remove: args.rm,
        tty,
        stdin,
        ports: args.service_ports,
    };
    let options = Options { tty, stdin, detach: true };
    session::check_terminal(options)?;
    let made = {
        // The server would make it all the same, and nobody would know.
        let _waiting = ctx.put_signals_off();
        let named = Named { name: stack.name.to_string() };
        let container = ctx.steps::<ComposeRunOp>(&named, &asked).await.map_err(placed)?;
        ctx.has_made(Made { name: container.name.clone(), auto_remove: args.rm });
        container
    };
    run::begin(ctx, made, options, args.detach).await
}
