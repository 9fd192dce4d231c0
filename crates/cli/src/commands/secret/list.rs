//! `volt secret list`.

use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::operations::SecretListOp;
use volt_api::types::Nothing;

const EXAMPLES: &str = "\
Examples:
  volt secret list
  volt secret ls -o name";

/// List secrets, and how well the key is protected that each is encrypted with
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Lists them.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    Ok(views::secret::list(&ctx.call::<SecretListOp>(&Nothing {}, &Nothing {}).await?))
}
