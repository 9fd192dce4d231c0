//! `volt compose up`.

use super::plan::What;
use super::project::{Project, document, placed, tell};
use super::{logs, pull};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use futures_util::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use volt_api::Problem;
use volt_api::operations::{ComposeStopOp, ComposeUpOp, ContainerWaitOp};
use volt_api::types::{ComposePlan, ComposeServices, Named, Nothing};
use volt_compose::Stack;

const EXAMPLES: &str = "\
Examples:
  volt compose up -d
  volt compose up -d --scale web=3 web
  volt compose -f shop.yaml up --wait --remove-orphans";

/// Bring a stack up: make what is missing, change what changed, start what is down
///
/// What is as the files want it is left alone. Where a step fails, all that was done is undone. Without --detach the logs are shown until
/// ctrl-c, which stops the stack.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Don't show the logs
    #[arg(long, short)]
    detach: bool,
    /// Don't show the logs; wait until everything is healthy that has a check, and fail unless all runs in the end
    #[arg(long)]
    wait: bool,
    /// Leave what was done where a step fails
    #[arg(long)]
    no_rollback: bool,
    /// Build the images first, also where they are there
    #[arg(long, conflicts_with = "no_build")]
    build: bool,
    /// Build no image
    #[arg(long)]
    no_build: bool,
    /// When to pull images: always, missing or never; by the files where nothing is said
    #[arg(long, value_name = "WHEN", value_parser = ["always", "missing", "never"])]
    pull: Option<String>,
    #[command(flatten)]
    what: What,
}

/// Brings it up.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let loaded = project.load(ctx, &args.what.services)?;
    let stack = args.what.scaled(&loaded.stack)?;
    let began = jiff::Timestamp::now();
    let mut up = args.what.ask(document(&loaded, &stack, &args.what.options())?);
    let how = pull::How { when: args.pull, build: args.build, no_build: args.no_build };
    let placed = |problem| placed(&loaded, problem);
    pull::missing(ctx, (&stack, &loaded.variables), &up, &how).await.map_err(placed)?;
    (up.no_rollback, up.wait) = (args.no_rollback, args.wait);
    let named = Named { name: stack.name.to_string() };
    let done = ctx.steps::<ComposeUpOp>(&named, &up).await.map_err(placed)?;
    tell(ctx, &done.notes);
    if args.detach || args.wait || args.what.no_start || ctx.out.is_for_programs() {
        return Ok(told(ctx, &done, "as it should be"));
    }
    attached(ctx, project, &stack, &args.what.services, began).await
}

/// What was done, for programs; people saw it happen.
pub(super) fn told(ctx: &Ctx, done: &ComposePlan, so: &str) -> Output {
    if done.steps.is_empty() {
        ctx.out.note(&format!("There is nothing to do: the stack {} is {so}.", done.name));
    }
    Output::text(done, &done.name, "")
}

/// Shows the logs until all has ended, or somebody wants the end.
async fn attached(
    ctx: &Ctx,
    project: &Project,
    stack: &Stack,
    services: &[String],
    began: jiff::Timestamp,
) -> Outcome {
    let shown = |key: &str| stack.services.get(key).is_some_and(|service| service.attach);
    let all = project.workloads(ctx, services).await?;
    let all: Vec<_> = all.into_iter().filter(|one| shown(&one.service)).collect();
    // Services and tasks come to no end that is waited for.
    let (ending, others): (Vec<_>, Vec<_>) =
        all.iter().partition(|one| one.workload.kind == "container");
    let (ending, goes_on): (Vec<String>, bool) =
        (ending.into_iter().map(|one| one.workload.name.clone()).collect(), !others.is_empty());
    let names: Vec<String> = all.iter().map(|one| one.workload.name.clone()).collect();
    let signals =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let guard = ctx.forward_signals();
    let ended = async {
        drop(
            join_all(ending.iter().map(async |name| {
                let named = Named { name: name.clone() };
                ctx.call::<ContainerWaitOp>(&named, &Nothing {}).await
            }))
            .await,
        );
        if goes_on {
            std::future::pending::<()>().await;
        }
    };
    let asked = tokio::select! {
        outcome = logs::follow(ctx, names.clone(), Some(began.to_string())) => return outcome,
        () = ended => false,
        () = heard(signals) => true,
    };
    if !asked {
        return Ok(Output::nothing());
    }
    drop(guard);
    ctx.out.note("Stopping; once more to leave it running.");
    let named = Named { name: stack.name.to_string() };
    let services = ComposeServices { services: services.to_vec(), timeout: None };
    ctx.steps::<ComposeStopOp>(&named, &services).await?;
    Ok(Output::nothing())
}

/// Returns when one of these signals comes.
async fn heard(signals: [std::io::Result<tokio::signal::unix::Signal>; 3]) {
    let [Ok(mut one), Ok(mut two), Ok(mut three)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = one.recv() => {}
        _ = two.recv() => {}
        _ = three.recv() => {}
    }
}

/// Checks a number of workloads, `SERVICE=NUMBER`.
pub(super) fn scale(text: &str) -> Result<(String, u32), String> {
    let parsed = text.split_once('=').and_then(|(key, n)| Some((key.to_owned(), n.parse().ok()?)));
    parsed.filter(|(_, n)| *n <= 1000).ok_or_else(|| "write SERVICE=NUMBER, up to 1000".to_owned())
}

/// Checks that the files have these services.
///
/// # Errors
/// `NotFound` for the first that they don't.
pub(super) fn all_known(stack: &Stack, keys: &[String]) -> Result<(), Problem> {
    match keys.iter().find(|key| !stack.services.contains_key(*key)) {
        Some(key) => Err(unknown(stack, key)),
        None => Ok(()),
    }
}

/// That a file has no such service.
pub(super) fn unknown(stack: &Stack, key: &str) -> Problem {
    let title = format!("The stack {} has no service {key}", stack.name);
    let problem = Problem::new(volt_model::kind::ErrorKind::NotFound, title).about(key);
    let keys = stack.services.keys().map(String::as_str);
    match volt_model::config::nearest(key, keys) {
        Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
        None => problem,
    }
}
