//! `volt compose kill`.

use super::project::{Project, runs};
use crate::commands::container;
use crate::ctx::Ctx;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  volt compose kill
  volt compose kill --signal HUP web";

/// Send a signal to what runs of a stack
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
    let all = project.containers(ctx, &args.services).await?.into_iter().filter(runs);
    let names = all.map(|one| one.workload.name).collect();
    container::kill::run(ctx, container::kill::Args { signal: args.signal, names }).await
}
