//! `volt compose down`.

use super::project::{Project, tell};
use super::up::told;
use crate::ctx::Ctx;
use crate::number::seconds;
use crate::output::{Outcome, Output};
use volt_api::operations::ComposeDownOp;
use volt_api::types::ComposeDown;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt compose down
  volt compose -p shop down --volumes --time 30";

/// Stop a stack and remove its containers and networks
///
/// What is taken away is what was brought up, also where the files are others by now. Volumes stay, unless --volumes is given.
/// Where there is nothing of the stack that the files say, that is said, and is no error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Remove the stack's volumes too, and what is in them
    #[arg(long, short)]
    volumes: bool,
    /// Remove also what the files had no more when it was brought up
    #[arg(long)]
    remove_orphans: bool,
    /// Seconds that each has to end, in place of its own
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS", value_parser = seconds)]
    time: Option<u32>,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Takes it away.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let down = ComposeDown {
        services: args.services,
        volumes: args.volumes,
        remove_orphans: args.remove_orphans,
        timeout: args.time,
    };
    let named = project.named()?;
    let done = match ctx.steps::<ComposeDownOp>(&named, &down).await {
        // Scripts take away what may be there before they bring it up.
        Err(problem)
            if problem.kind() == ErrorKind::NotFound
                && down.services.is_empty()
                && project.project_name.is_none() =>
        {
            ctx.out.note(&format!("There is nothing of the stack {}", named.name));
            return Ok(Output::nothing());
        }
        done => done?,
    };
    tell(ctx, &done.notes);
    Ok(told(ctx, &done, "gone"))
}
