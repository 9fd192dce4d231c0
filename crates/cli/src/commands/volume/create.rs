//! `volt volume create`.

use crate::commands::container::flags::label;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::operations::VolumeCreateOp;
use volt_api::types::{Nothing, VolumeCreate};

const EXAMPLES: &str = "\
Examples:
  volt volume create data
  volt volume create --label team=web data";

/// Make a volume
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// What to call it
    name: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = VolumeCreate { name: args.name, labels: args.label.into_iter().collect() };
    let volume = ctx.call::<VolumeCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&volume, &volume.name, format!("{}\n", volume.name)))
}
