//! `volt compose images`.

use super::project::Project;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;

const EXAMPLES: &str = "\
Examples:
  volt compose images
  volt compose images web -o json";

/// List the images that containers of a stack are made of
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    Ok(views::compose::images(&project.workloads(ctx, &args.services).await?))
}
