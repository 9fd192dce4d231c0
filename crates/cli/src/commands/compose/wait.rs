//! `volt compose wait`.

use super::project::Project;
use crate::commands::container;
use crate::ctx::Ctx;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  volt compose wait
  volt compose wait migrate";

/// Wait until a stack has ended, and print the exit codes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Waits for it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let all = project.containers(ctx, &args.services).await?;
    let names = all.into_iter().map(|one| one.workload.name).collect();
    container::wait::run(ctx, container::wait::Args { names }).await
}
