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
    let names = project.names(ctx, &args.services).await?;
    container::wait::run(ctx, container::wait::Args { names }).await
}
