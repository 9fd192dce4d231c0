//! `volt cas push`.

use crate::accounts;
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, size};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::CasPushOp;
use volt_api::types::{CasPush, Nothing};

const EXAMPLES: &str = "\
Examples:
  volt cas push site registry.example/team/site:1
  volt cas push images/debian registry.example/team/root:trixie";

/// Send a tree to a registry
///
/// Any OCI registry serves. Only what is in none of the trees of that repository is sent: of small files those that are new, of
/// large ones the parts that have changed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The tree
    #[arg(value_name = "REF", add = ArgValueCompleter::new(complete::trees))]
    name: String,
    /// What it is to be called there, with the registry's name
    #[arg(value_name = "DEST")]
    to: String,
}

/// Sends it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let account = accounts::of(ctx, &args.to).await?;
    let push = CasPush { name: args.name, to: args.to, account };
    let pushed = ctx.progress::<CasPushOp>(&Nothing {}, &push).await?;
    let (sent, present) = (size(pushed.sent), size(pushed.present));
    let text = format!("{} {}\n{sent} sent, {present} were there\n", pushed.name, pushed.tree);
    Ok(Output::text(&pushed, &pushed.name, text))
}
