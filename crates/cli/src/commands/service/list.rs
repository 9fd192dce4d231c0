//! `volt service list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::{ServiceListOp, ServiceProfilesOp};
use volt_api::types::{Nothing, ServiceList};

const EXAMPLES: &str = "\
Examples:
  volt service list
  volt service ls --all -o name
  volt service list --profiles";

/// List services
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Those of the host too
    #[arg(long, short)]
    all: bool,
    /// List the sandboxes in their place, with how exposed a service is in each: 0 is best, 10 is no sandbox
    #[arg(long, conflicts_with = "all")]
    profiles: bool,
}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    if args.profiles {
        let all = ctx.call::<ServiceProfilesOp>(&Nothing {}, &Nothing {}).await?;
        return Ok(views::service::profiles(&all));
    }
    let list = ServiceList { all: args.all };
    Ok(views::service::list(&ctx.call::<ServiceListOp>(&list, &Nothing {}).await?))
}
