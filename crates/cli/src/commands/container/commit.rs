//! `volt container commit`.

use super::flags::{env_value, label};
use crate::complete;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, clean};
use clap_complete::engine::ArgValueCompleter;
use volt_api::operations::ContainerCommitOp;
use volt_api::types::{ContainerCommit, Named};

const EXAMPLES: &str = "\
Examples:
  volt container commit web site:2
  volt container commit --env MODE=live --message 'with nginx' web site:3
  volt container commit --entrypoint /usr/bin/serve --command '-v -p 80' web site:4";

/// Make an image of a container
///
/// The image has what the container is at this moment, without its volumes; what it has not changed is not stored again. One that
/// runs stands still while it is read. It is run as the image that the container began with, but for what is said here; where
/// that image is gone, as the container is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The entrypoint, in place of the image's; its command goes with it
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// The command in place of the image's, words parted by spaces
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    command: Option<String>,
    /// Set an environment variable; NAME alone takes this one's value
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Who runs the command: NAME[:GROUP] or numbers
    #[arg(long, short, value_name = "USER")]
    user: Option<String>,
    /// Where the command starts
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// What to say of it: stands behind its source
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Replace the image of that name
    #[arg(long, short)]
    force: bool,
    /// The container
    #[arg(add = ArgValueCompleter::new(complete::containers))]
    name: String,
    /// What to call the image
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    let commit = ContainerCommit {
        image: args.image,
        entrypoint: args.entrypoint.map(words),
        command: args.command.map(words),
        env: args.env.iter().filter_map(|text| env_value(text)).collect(),
        user: args.user,
        workdir: args.workdir,
        labels: args.label.into_iter().collect(),
        message: args.message,
        force: args.force,
    };
    let image = ctx.progress::<ContainerCommitOp>(&Named { name: args.name }, &commit).await?;
    for line in &image.neutralised {
        ctx.out.note(&clean(line));
    }
    Ok(Output::text(&image, &image.name, format!("{}\n", image.name)))
}
