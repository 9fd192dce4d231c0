//! The tree of commands. One line for each in the enums, one in the dispatch; a command itself is its file.

pub(crate) mod audit;
pub(crate) mod cas;
mod completion;
pub(crate) mod compose;
pub(crate) mod config;
pub(crate) mod container;
mod daemon;
mod dns;
mod events;
pub(crate) mod firewall;
pub(crate) mod health;
pub(crate) mod image;
mod logs;
pub(crate) mod net;
mod program;
mod ps;
pub(crate) mod registry;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod service;
pub(crate) mod snapshot;
pub(crate) mod system;
pub(crate) mod task;
mod top;
mod version;
pub(crate) mod volume;
pub(crate) mod workload;

use crate::ctx::Ctx;
use crate::output::Outcome;
use clap::Subcommand;
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(Box<run::Args>),
    #[command(visible_alias = "list")]
    Ps(ps::Args),
    Logs(logs::Args),
    Top(top::Args),
    Events(events::Args),
    /// Start containers (container start)
    Start(container::start::Args),
    /// Stop containers (container stop)
    Stop(container::stop::Args),
    /// Restart containers (container restart)
    Restart(container::restart::Args),
    /// Send a signal to containers (container kill)
    Kill(container::kill::Args),
    /// Remove containers (container delete)
    #[command(visible_alias = "rm")]
    Delete(container::delete::Args),
    /// Run a command in a container (container exec)
    Exec(container::exec::Args),
    /// Open a shell in a container (container shell)
    Shell(container::shell::Args),
    /// Connect to a container (container attach)
    Attach(container::attach::Args),
    /// Copy files to or from a container (container copy)
    #[command(visible_alias = "cp")]
    Copy(container::copy::Args),
    /// Show all that is known of workloads (workload inspect)
    Inspect(workload::inspect::Args),
    /// Get an image (image pull)
    Pull(image::pull::Args),
    /// Send an image to a registry (image push)
    Push(image::push::Args),
    /// Say who you are at a registry (registry login)
    Login(registry::login::Args),
    /// Forget who you are at a registry (registry logout)
    Logout(registry::logout::Args),
    Compose(Box<compose::Args>),
    /// Containers
    #[command(subcommand)]
    Container(container::Command),
    /// Images
    #[command(subcommand)]
    Image(image::Command),
    /// Registries
    #[command(subcommand)]
    Registry(registry::Command),
    /// Secrets for containers
    #[command(subcommand)]
    Secret(secret::Command),
    /// Services of systemd
    #[command(subcommand)]
    Service(service::Command),
    /// Tasks that timers start
    #[command(subcommand)]
    Task(task::Command),
    /// Snapshots of containers
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// The content-addressed store
    #[command(subcommand)]
    Cas(cas::Command),
    /// Volumes
    #[command(subcommand)]
    Volume(volume::Command),
    /// Networks
    #[command(subcommand)]
    Net(net::Command),
    /// The firewall
    #[command(subcommand)]
    Firewall(firewall::Command),
    /// Whether workloads are well
    #[command(subcommand)]
    Health(health::Command),
    /// Workloads of every kind, and units of the host
    #[command(subcommand)]
    Workload(workload::Command),
    /// This host
    #[command(subcommand)]
    System(system::Command),
    /// The configuration
    #[command(subcommand)]
    Config(config::Command),
    /// The audit trail
    #[command(subcommand)]
    Audit(audit::Command),
    /// The server of names
    #[command(subcommand)]
    Dns(dns::Command),
    Daemon(daemon::Args),
    Completion(completion::Args),
    Version(version::Args),
}

/// Runs the commands that need no API; with the others it goes on.
pub(crate) fn local(command: Command, ctx: &Ctx) -> ControlFlow<ExitCode, Command> {
    let outcome = match command {
        Command::Daemon(args) => return ControlFlow::Break(daemon::run(ctx, &args)),
        Command::Dns(command) => return ControlFlow::Break(dns::run(ctx, &command)),
        Command::Completion(args) => completion::run(ctx, &args),
        Command::Version(args) if !args.server => version::run_local(),
        Command::System(system::Command::Install(args)) => system::install::run(ctx, &args),
        Command::System(system::Command::Uninstall(args)) => system::uninstall::run(ctx, &args),
        other => return ControlFlow::Continue(other),
    };
    ControlFlow::Break(ExitCode::from(ctx.out.finish(outcome, None)))
}

/// Runs a command that asks the API.
pub(crate) async fn dispatch(command: Command, ctx: &Ctx) -> Outcome {
    match command {
        Command::Run(args) => run::run(ctx, *args).await,
        Command::Ps(args) => ps::run(ctx, args).await,
        Command::Logs(args) => logs::run(ctx, args).await,
        Command::Top(args) => top::run(ctx, args).await,
        Command::Events(args) => events::run(ctx, args).await,
        Command::Start(args) => container::start::run(ctx, args).await,
        Command::Stop(args) => container::stop::run(ctx, args).await,
        Command::Restart(args) => container::restart::run(ctx, args).await,
        Command::Kill(args) => container::kill::run(ctx, args).await,
        Command::Delete(args) => container::delete::run(ctx, args).await,
        Command::Exec(args) => container::exec::run(ctx, args).await,
        Command::Shell(args) => container::shell::run(ctx, args).await,
        Command::Attach(args) => container::attach::run(ctx, args).await,
        Command::Copy(args) => container::copy::run(ctx, args).await,
        Command::Inspect(args) => workload::inspect::run(ctx, args).await,
        Command::Pull(args) => image::pull::run(ctx, args).await,
        Command::Push(args) => image::push::run(ctx, args).await,
        Command::Login(args) => registry::login::run(ctx, args).await,
        Command::Logout(args) => registry::logout::run(ctx, args).await,
        Command::Compose(args) => compose::dispatch(*args, ctx).await,
        Command::Container(command) => container::dispatch(command, ctx).await,
        Command::Image(command) => image::dispatch(command, ctx).await,
        Command::Registry(command) => registry::dispatch(command, ctx).await,
        Command::Secret(command) => secret::dispatch(command, ctx).await,
        Command::Service(command) => service::dispatch(command, ctx).await,
        Command::Task(command) => task::dispatch(command, ctx).await,
        Command::Snapshot(command) => snapshot::dispatch(command, ctx).await,
        Command::Cas(command) => cas::dispatch(command, ctx).await,
        Command::Volume(command) => volume::dispatch(command, ctx).await,
        Command::Net(command) => net::dispatch(command, ctx).await,
        Command::Firewall(command) => firewall::dispatch(command, ctx).await,
        Command::Health(command) => health::dispatch(command, ctx).await,
        Command::Workload(command) => workload::dispatch(command, ctx).await,
        Command::System(command) => system::dispatch(command, ctx).await,
        Command::Config(command) => config::dispatch(command, ctx).await,
        Command::Audit(command) => audit::dispatch(command, ctx).await,
        Command::Version(args) => version::run(ctx, args).await,
        Command::Daemon(_) | Command::Dns(_) | Command::Completion(_) => {
            unreachable!("`local` has run what needs no API")
        }
    }
}

#[cfg(test)]
mod flows;
#[cfg(test)]
mod tests;
