//! Commands on stacks. The files are read here, by `volt-compose`; the daemon gets one document that needs no other file.

pub(crate) mod build;
pub(crate) mod config;
pub(crate) mod convert;
pub(crate) mod cp;
pub(crate) mod down;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod graph;
pub(crate) mod images;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod port;
mod project;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod up;
pub(crate) mod wait;
pub(crate) mod watch;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;
use project::Project;

/// Stacks: containers, networks and volumes from one file
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    project: Project,
    #[command(subcommand)]
    command: Command,
}

/// Commands on stacks.
#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Args),
    Plan(plan::Args),
    Down(down::Args),
    Ps(ps::Args),
    #[command(visible_alias = "list")]
    Ls(ls::Args),
    Logs(logs::Args),
    Start(start::Args),
    Stop(stop::Args),
    Restart(restart::Args),
    Kill(kill::Args),
    Pause(pause::Args),
    Unpause(unpause::Args),
    Exec(exec::Args),
    Run(Box<run::Args>),
    Cp(cp::Args),
    Port(port::Args),
    Top(top::Args),
    Wait(wait::Args),
    Events(events::Args),
    Images(images::Args),
    Pull(pull::Args),
    Build(build::Args),
    Watch(watch::Args),
    Config(config::Args),
    Graph(graph::Args),
    Convert(convert::Args),
}

/// Runs one of them.
pub(crate) async fn dispatch(args: Args, ctx: &Ctx) -> Outcome {
    let project = &args.project;
    match args.command {
        Command::Up(args) => up::run(ctx, project, args).await,
        Command::Plan(args) => plan::run(ctx, project, args).await,
        Command::Down(args) => down::run(ctx, project, args).await,
        Command::Ps(args) => ps::run(ctx, project, args).await,
        Command::Ls(args) => ls::run(ctx, args).await,
        Command::Logs(args) => logs::run(ctx, project, args).await,
        Command::Start(args) => start::run(ctx, project, args).await,
        Command::Stop(args) => stop::run(ctx, project, args).await,
        Command::Restart(args) => restart::run(ctx, project, args).await,
        Command::Kill(args) => kill::run(ctx, project, args).await,
        Command::Pause(args) => pause::run(ctx, project, args).await,
        Command::Unpause(args) => unpause::run(ctx, project, args).await,
        Command::Exec(args) => exec::run(ctx, project, args).await,
        Command::Run(args) => run::run(ctx, project, *args).await,
        Command::Cp(args) => cp::run(ctx, project, args).await,
        Command::Port(args) => port::run(ctx, project, args).await,
        Command::Top(args) => top::run(ctx, project, args).await,
        Command::Wait(args) => wait::run(ctx, project, args).await,
        Command::Events(args) => events::run(ctx, project, args).await,
        Command::Images(args) => images::run(ctx, project, args).await,
        Command::Pull(args) => pull::run(ctx, project, args).await,
        Command::Build(args) => build::run(ctx, project, args).await,
        Command::Watch(args) => watch::run(ctx, project, args).await,
        Command::Config(args) => config::run(ctx, project, &args),
        Command::Graph(args) => graph::run(ctx, project, &args),
        Command::Convert(args) => convert::run(ctx, project, &args),
    }
}
