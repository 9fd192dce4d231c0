//! `volt compose plan`, and what `up` takes too.

use super::project::{Project, document, placed, tell};
use super::up::{scale, unknown};
use crate::ctx::Ctx;
use crate::output::Outcome;
use crate::views;
use volt_api::Problem;
use volt_api::operations::ComposePlanOp;
use volt_api::types::{ComposeUp, Named};
use volt_compose::Stack;
use volt_compose::plan::Options;

const EXAMPLES: &str = "\
Examples:
  volt compose plan
  volt compose plan --force-recreate web -o json";

/// Say what `up` would do, and why
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
}

/// Which services, and how.
#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// So many of a service, over what the files say
    #[arg(long, value_name = "SERVICE=NUMBER", value_parser = scale)]
    scale: Vec<(String, u32)>,
    /// Remove what the files don't have any more
    #[arg(long)]
    remove_orphans: bool,
    /// Make everything anew, also what did not change
    #[arg(long, conflicts_with = "no_recreate")]
    force_recreate: bool,
    /// Make nothing anew that is there
    #[arg(long)]
    no_recreate: bool,
    /// Only the services that are named, without what they depend on
    #[arg(long)]
    no_deps: bool,
    /// Make it and start nothing
    #[arg(long)]
    pub(super) no_start: bool,
    /// The services, with what they depend on; all where none is named
    #[arg(value_name = "SERVICE")]
    pub(super) services: Vec<String>,
}

impl What {
    /// The stack with as many of each service as was asked for.
    pub(super) fn scaled(&self, stack: &Stack) -> Result<Stack, Problem> {
        let mut stack = stack.clone();
        for (key, number) in &self.scale {
            match stack.services.get_mut(key) {
                Some(service) => service.replicas = *number,
                None => return Err(unknown(&stack, key)),
            }
        }
        match self.services.iter().find(|key| !stack.services.contains_key(*key)) {
            Some(key) => Err(unknown(&stack, key)),
            None => Ok(stack),
        }
    }

    /// Which services are meant.
    pub(super) fn options(&self) -> Options {
        Options {
            services: self.services.clone(),
            no_dependencies: self.no_deps,
            ..Options::default()
        }
    }

    /// What the daemon is asked for.
    pub(super) fn ask(&self, document: ComposeUp) -> ComposeUp {
        ComposeUp {
            services: self.services.clone(),
            no_deps: self.no_deps,
            force_recreate: self.force_recreate,
            no_recreate: self.no_recreate,
            remove_orphans: self.remove_orphans,
            no_start: self.no_start,
            ..document
        }
    }
}

/// Says it.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let loaded = project.load(ctx, &args.what.services)?;
    let stack = args.what.scaled(&loaded.stack)?;
    let up = args.what.ask(document(&loaded, &stack, &args.what.options())?);
    let named = Named { name: stack.name.to_string() };
    let plan = ctx.call::<ComposePlanOp>(&named, &up).await;
    let plan = plan.map_err(|problem| placed(&loaded, problem))?;
    tell(ctx, &plan.notes);
    Ok(views::compose::plan(&plan))
}
