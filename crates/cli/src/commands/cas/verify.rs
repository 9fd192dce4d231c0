//! `volt cas verify`.

use super::absolute;
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use clap::ValueHint;
use std::path::PathBuf;
use volt_api::operations::CasVerifyOp;
use volt_api::types::{CasVerify, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt cas verify
  sudo volt cas verify --repair
  sudo volt cas verify --repair /srv/rootfs /mnt/backup/rootfs";

/// Read everything in the store and say what is damaged
///
/// What is not what its name says is moved to quarantine. What may have it again: the folders that trees were made of, containers,
/// and what images were pulled as, which is kept or their registries have. The exit code is 1 when something is damaged and could not be repaired.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Fetch again what is damaged, from these folders; where none is said, from whatever has it
    #[arg(long, value_name = "DIR", num_args = 0.., value_hint = ValueHint::DirPath)]
    repair: Option<Vec<PathBuf>>,
}

/// Verifies.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let repair = args.repair.is_some();
    let from = args.repair.unwrap_or_default();
    let from = from.iter().map(|dir| absolute(dir)).collect::<Result<_, _>>()?;
    let verify = CasVerify { repair, from };
    let verified = ctx.progress::<CasVerifyOp>(&Nothing {}, &verify).await?;
    Ok(views::cas::verified(&verified))
}
