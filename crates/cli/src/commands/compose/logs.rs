//! `volt compose logs`.

use super::project::Project;
use crate::commands::logs::{self, tail};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};

const EXAMPLES: &str = "\
Examples:
  volt compose logs
  volt compose logs -f --lines 20 web db";

/// Show the logs of a stack
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Go on as lines come
    #[arg(long, short)]
    follow: bool,
    /// Only the last so many lines of each, or all
    #[arg(long, short = 'n', visible_alias = "tail", value_name = "NUMBER", value_parser = tail)]
    lines: Option<u64>,
    /// Not older: RFC 3339, a date with a time or without, or a span back such as 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not younger
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// With the time of each line
    #[arg(long, short)]
    timestamps: bool,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Shows them.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let names = project.names(ctx, &args.services).await?;
    if names.is_empty() {
        return Ok(Output::nothing());
    }
    let args = logs::Args {
        follow: args.follow,
        lines: args.lines,
        since: args.since,
        until: args.until,
        timestamps: args.timestamps,
        names,
        ..logs::Args::default()
    };
    logs::run(ctx, args).await
}

/// Shows what these say from a time on, as it comes.
pub(super) async fn follow(ctx: &Ctx, names: Vec<String>, since: Option<String>) -> Outcome {
    logs::show(ctx, &logs::Args { follow: true, since, names, ..logs::Args::default() }).await
}
