//! `volt compose build`.

use super::project::Project;
use super::pull;
use super::up::all_known;
use crate::commands::image::build::Anew;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_api::types::Image;

const EXAMPLES: &str = "\
Examples:
  volt compose build
  volt compose build --pull web
  volt compose build --build-arg SUITE=bookworm";

/// Build the images of a stack, also where they are there
///
/// Of services that have a `build:`. Every build is done from its beginning; what runs goes on with its old image until `volt compose up`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Get the images that they begin with anew
    #[arg(long)]
    pull: bool,
    /// Take nothing from earlier builds, which Volt never does
    #[arg(long)]
    no_cache: bool,
    /// Set an argument over what the files say; NAME alone takes this environment's value
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Builds them.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let loaded = project.load(ctx, &args.services)?;
    let stack = &loaded.stack;
    all_known(stack, &args.services)?;
    let anew = Anew { pull: args.pull, args: args.build_arg };
    let named = |key: &String| args.services.is_empty() || args.services.contains(key);
    let mut built: Vec<Image> = Vec::new();
    for (key, service) in stack.services.iter().filter(|(key, _)| named(key)) {
        if service.container().is_some_and(|container| container.build.is_some()) {
            built.push(pull::build(ctx, stack, &loaded.variables, (key, &anew)).await?);
        }
    }
    if built.is_empty() {
        ctx.out.note("There is nothing to build: no service has a `build:`.");
    }
    let names: String = built.iter().map(|image| format!("{}\n", image.name)).collect();
    Ok(Output::text(&built, stack.name.as_str(), names))
}
