//! `volt compose events`.

use super::project::Project;
use crate::commands::events;
use crate::ctx::Ctx;
use crate::output::Outcome;
use volt_api::operations::ComposeLsOp;
use volt_api::types::Nothing;

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
    // What comes new is called after the stack. So is what belongs to another whose name begins like this one's.
    let own = format!("{}-", project.name()?);
    let stacks = ctx.call::<ComposeLsOp>(&Nothing {}, &Nothing {}).await?;
    let others: Vec<String> = stacks.iter().map(|stack| format!("{}-", stack.name)).collect();
    let is_others = |name: &str| {
        others.iter().any(|other| other.len() > own.len() && name.starts_with(other.as_str()))
    };
    let all = args.services.is_empty();
    events::tell(ctx, |event| {
        let is_new = all && event.name.starts_with(&own) && !is_others(&event.name);
        is_new || names.contains(&event.name)
    })
    .await
}
