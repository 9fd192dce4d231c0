//! `volt cas pull`.

use crate::accounts;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, size};
use volt_api::operations::CasPullOp;
use volt_api::types::{CasPull, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt cas pull registry.example/team/site:1
  sudo volt cas pull --ref site registry.example/team/site:2";

/// Fetch a tree from a registry
///
/// One that `cas push` has sent there. Only what is not here is fetched, and all of it is checked object by object. It is on disk when
/// the command returns; a name that is taken passes to it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to call it; the last word of what it is called there where nothing is said
    #[arg(long = "ref", value_name = "NAME")]
    name: Option<String>,
    /// What it is called there, with the registry's name
    #[arg(value_name = "SRC")]
    from: String,
}

/// Fetches it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let account = accounts::of(ctx, &args.from).await?;
    let pull = CasPull { from: args.from, name: args.name, account };
    let pulled = ctx.progress::<CasPullOp>(&Nothing {}, &pull).await?;
    let entries = if pulled.entries == 1 { "entry" } else { "entries" };
    let (whole, fetched) = (size(pulled.size), size(pulled.fetched));
    let text = format!(
        "{} {}\n{} {entries}, {whole}, {fetched} fetched\n",
        pulled.name, pulled.tree, pulled.entries
    );
    Ok(Output::text(&pulled, &pulled.name, text))
}
