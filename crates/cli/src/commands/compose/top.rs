//! `volt compose top`.

use super::project::Project;
use crate::commands::top;
use crate::ctx::Ctx;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  volt compose top --once
  volt compose top --interval 5";

/// Show what runs of a stack uses: CPU, memory, I/O, network, tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    top: top::Args,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Measures.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let names = project.names(ctx, &args.services).await?;
    top::show(ctx, &args.top, |name| names.iter().any(|one| one == name)).await
}
