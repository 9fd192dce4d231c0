//! `volt config edit`.

use crate::ctx::Ctx;
use crate::editor::{Draft, edit};
use crate::output::{Outcome, Output};
use volt_api::operations::{ConfigReadOp, ConfigWriteOp};
use volt_api::types::{ConfigText, Nothing};

const EXAMPLES: &str = "\
Examples:
  sudo volt config edit
  sudo EDITOR=nano volt config edit";

/// Edit the configuration file
///
/// With $VISUAL, else $EDITOR, else vi. What is wrong with the file is said and it can be edited again; what is not taken is kept
/// in a file that is named. A file that someone else changed meanwhile is not overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

/// Edits it.
pub(crate) async fn run(ctx: &Ctx, _args: Args) -> Outcome {
    let before = ctx.call::<ConfigReadOp>(&Nothing {}, &Nothing {}).await?;
    let draft = Draft {
        prefix: "volt-config-",
        suffix: ".yaml",
        text: &before.text,
        stays: "The configuration stays as it was",
    };
    let write = async |text| {
        let write = ConfigText { text, revision: before.revision.clone() };
        ctx.call::<ConfigWriteOp>(&Nothing {}, &write).await.map(drop)
    };
    edit(ctx, &draft, write).await?;
    Ok(Output::nothing())
}
