//! `volt compose kill`.

use super::project::{Project, runs};
use crate::ctx::Ctx;
use crate::many;
use crate::output::Outcome;
use serde::Serialize;
use serde_json::Value;
use volt_api::operations::{ContainerKillOp, ServiceKillOp};
use volt_api::types::{ContainerKill, Nothing, ServiceKill};

const EXAMPLES: &str = "\
Examples:
  volt compose kill
  volt compose kill --signal HUP web";

/// Send a signal to what runs of a stack: the commands of containers, all processes of services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The signal, by name or number; KILL where nothing is said
    #[arg(long, short, value_name = "SIGNAL")]
    signal: Option<String>,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Sends it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let mut all = project.workloads(ctx, &args.services).await?;
    // A task has no process for long; who is asked for by name is what it is.
    let is_meant = |kind: &str| kind != "task" || !args.services.is_empty();
    all.retain(|one| runs(one) && is_meant(&one.workload.kind));
    let is_service = |name: &str| {
        all.iter().any(|one| one.workload.name == name && one.workload.kind == "service")
    };
    let names: Vec<String> = all.iter().map(|one| one.workload.name.clone()).collect();
    Ok(many::each(&names, async |name| {
        let signal = args.signal.clone();
        if is_service(&name) {
            let kill = ServiceKill { name, signal };
            return ctx.call::<ServiceKillOp>(&kill, &Nothing {}).await.map(value);
        }
        let kill = ContainerKill { name, signal };
        ctx.call::<ContainerKillOp>(&kill, &Nothing {}).await.map(value)
    })
    .await)
}

/// What a signal was sent to, as it is then.
fn value(one: impl Serialize) -> Value {
    serde_json::to_value(one).unwrap_or_default()
}
