//! `volt compose config`.

use super::project::{Project, text};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use volt_compose::names;

const EXAMPLES: &str = "\
Examples:
  volt compose config
  volt compose -f base.yaml -f more.yaml config --services
  volt compose config --quiet";

/// Check the stack's files and print them as one
///
/// Variables are put in, files are merged, and all that is wrong is said at once. What is printed is what `up` brings up.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print the keys of the services
    #[arg(long)]
    services: bool,
    /// Print the keys of the volumes
    #[arg(long, conflicts_with = "services")]
    volumes: bool,
    /// Print the images
    #[arg(long, conflicts_with_all = ["services", "volumes"])]
    images: bool,
}

/// Prints it.
pub(crate) fn run(ctx: &Ctx, project: &Project, args: &Args) -> Outcome {
    let loaded = project.load(ctx, &[])?;
    let stack = &loaded.stack;
    let listed: Option<Vec<String>> = if args.services {
        Some(stack.services.keys().cloned().collect())
    } else if args.volumes {
        Some(stack.volumes.keys().cloned().collect())
    } else if args.images {
        let image = |key: &String| {
            let container = stack.services.get(key)?.container()?;
            let built = || names::of_built_image(&stack.name, key);
            Some(container.image.as_ref().map_or_else(built, ToString::to_string))
        };
        Some(stack.services.keys().filter_map(image).collect())
    } else {
        None
    };
    let name = stack.name.to_string();
    Ok(match listed {
        Some(all) => {
            Output::text(&all, &name, all.iter().map(|one| format!("{one}\n")).collect::<String>())
        }
        None if ctx.out.is_quiet() => Output::nothing(),
        None => Output::text(stack, &name, text(stack)),
    })
}
