//! `volt ps`: `volt workload list` by the name that fingers know.

use super::workload::{inspect, list};
use crate::ctx::Ctx;
use crate::output::Outcome;

const EXAMPLES: &str = "\
Examples:
  volt ps
  volt ps -a -o wide
  volt ps --stack shop
  volt ps inspect web
  volt ps -o json | jq '.[].name'";

/// List what runs, those of a stack under its name
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[group(skip)]
pub(crate) struct Args {
    #[command(subcommand)]
    inspect: Option<Inspect>,
    #[command(flatten)]
    list: list::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Inspect {
    Inspect(inspect::Args),
}

/// Lists it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    match args.inspect {
        Some(Inspect::Inspect(args)) => inspect::run(ctx, args).await,
        None => list::run(ctx, args.list).await,
    }
}
