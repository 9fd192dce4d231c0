//! `volt compose events`.

use super::project::Project;
use crate::commands::events;
use crate::ctx::Ctx;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  volt compose events
  volt compose events -o json web";

/// Tell what happens with a stack, as it happens
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone; only of what is there when the command begins
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Tells it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let names = project.names(ctx, &args.services).await?;
    // What comes new is called after the stack.
    let prefix = format!("{}-", project.name()?);
    let all = args.services.is_empty();
    events::tell(ctx, |event| {
        names.contains(&event.name) || (all && event.name.starts_with(&prefix))
    })
    .await
}
