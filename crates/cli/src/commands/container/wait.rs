//! `volt container wait`.

use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use clap_complete::engine::ArgValueCompleter;
use futures_util::future::join_all;
use volt_api::operations::ContainerWaitOp;
use volt_api::types::{Named, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt container wait job
  volt container wait job-1 job-2 -o json";

/// Wait until containers have ended, and print their exit codes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The containers
    #[arg(value_name = "NAME", required = true, add = ArgValueCompleter::new(complete::containers))]
    pub(crate) names: Vec<String>,
}

/// Waits for them.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let waits = args.names.iter().map(async |name| {
        ctx.call::<ContainerWaitOp>(&Named { name: name.clone() }, &Nothing {}).await
    });
    let (mut ended, mut problems) = (Vec::new(), Vec::new());
    for answer in join_all(waits).await {
        match answer {
            Ok(waited) => ended.push(waited),
            Err(problem) => problems.push(problem),
        }
    }
    let codes: String = ended.iter().map(|w| format!("{}\n", w.exit.code)).collect();
    let output = match &ended[..] {
        [] => Output::nothing(),
        [one] => Output::text(one, &one.name, codes),
        all => Output::text(&all, "", codes),
    };
    Ok(output.with_problems(problems))
}
