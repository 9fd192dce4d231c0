//! `volt cas build`.

use super::absolute;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap::ValueHint;
use std::path::PathBuf;
use volt_api::operations::CasBuildOp;
use volt_api::types::{CasBuild, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt cas build /srv/rootfs
  sudo volt cas build --ref web/root:2 /srv/www";

/// Store a folder as a tree
///
/// All of it is on disk when the command returns. A folder that has been stored before is only read where it has changed. A name
/// that is taken passes to the new tree.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to call it; as the folder where nothing is said
    #[arg(long = "ref", value_name = "NAME")]
    name: Option<String>,
    /// The folder
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    dir: PathBuf,
}

/// Stores it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let build = CasBuild { path: absolute(&args.dir)?, name: args.name };
    let built = ctx.progress::<CasBuildOp>(&Nothing {}, &build).await?;
    for line in &built.left_out {
        ctx.out.note(&crate::output::clean(line));
    }
    Ok(views::cas::built(&built))
}
