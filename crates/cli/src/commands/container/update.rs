//! `volt container update`.

use super::flags::LimitFlags;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::{complete, many};
use clap_complete::engine::ArgValueCompleter;
use volt_api::Problem;
use volt_api::operations::ContainerUpdateOp;
use volt_api::types::{ContainerUpdate, LimitsChange, Named};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt container update --memory 1G web
  volt container update --cpus 0.5 --pids 200 --restart always web db
  volt container update --rate 100mbit web
  volt container update --memory none web";

/// Change the limits of containers, at once where they run
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// When to start it again: no, on-failure[:N], always or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    names: Vec<String>,
    // Last, for its heading holds for all that follows it.
    #[command(flatten)]
    limits: LimitFlags,
}

/// Changes them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let update = ContainerUpdate { limits: args.limits.change(), restart: args.restart };
    if update.limits == LimitsChange::default() && update.restart.is_none() {
        return Err(Problem::new(ErrorKind::Usage, "Nothing is to be changed")
            .hinted("Name a limit, such as --memory 1G"));
    }
    Ok(many::each(&args.names, async |name| {
        let container = ctx.call::<ContainerUpdateOp>(&Named { name }, &update).await?;
        Ok(super::create::told(ctx, container))
    })
    .await)
}
