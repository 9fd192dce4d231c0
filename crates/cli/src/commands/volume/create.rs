//! `volt volume create`.

use crate::commands::container::flags::label;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::operations::VolumeCreateOp;
use volt_api::types::{Nothing, VolumeCreate};

const EXAMPLES: &str = "\
Examples:
  volt volume create data
  volt volume create --label team=web data
  volt volume create --driver tmpfs --opt size=64M scratch
  volt volume create --opt type=none --opt o=bind --opt device=/srv/site site
  volt volume create --driver nfs --opt addr=10.0.0.5 --opt device=:/export/media media";

/// Make a volume
///
/// Without options its content lies in a folder of Volt's. What a driver mounts there is mounted while a container has the volume: a
/// folder of the host (local with o=bind), memory (tmpfs), a folder of a server (nfs). A server sees the ids that containers have outside.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Who keeps the content: local, tmpfs or nfs
    #[arg(long, short, value_name = "DRIVER", value_parser = ["local", "tmpfs", "nfs"])]
    driver: Option<String>,
    /// What the driver is told
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    opt: Vec<(String, String)>,
    /// What to call it
    name: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let create = VolumeCreate {
        name: args.name,
        labels: args.label.into_iter().collect(),
        driver: args.driver,
        options: args.opt.into_iter().collect(),
    };
    let volume = ctx.call::<VolumeCreateOp>(&Nothing {}, &create).await?;
    Ok(Output::text(&volume, &volume.name, format!("{}\n", volume.name)))
}
