//! `volt container create`.

use super::flags::CreateFlags;
use crate::commands::image;
use crate::ctx::{Ctx, Made};
use crate::output::{Outcome, Output};
use volt_api::Problem;
use volt_api::operations::{ContainerCreateOp, ImageInspectOp};
use volt_api::types::{Container, ContainerCreate, ImageName, Nothing};
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt container create --name web -v data:/srv debian sleep infinity
  volt container create --name db --memory 512M --cpus 1.5 --restart always debian postgres
  volt container create --name box --boot debian
  volt container create --name site stellarium://site /bin/httpd -f";

/// Create a container without starting it
///
/// The image is pulled when it is missing. The name of the container is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    flags: CreateFlags,
}

/// Creates it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let container = with_image(ctx, &args.flags.create()?).await?;
    Ok(Output::text(&container, &container.name, format!("{}\n", container.name)))
}

/// Creates a container, and pulls its image first where it is missing.
pub(crate) async fn with_image(ctx: &Ctx, create: &ContainerCreate) -> Result<Container, Problem> {
    // The image is nearly always there: it is only asked after when the creation says that something is not.
    let missing = match made(ctx, create).await {
        Ok(container) => return Ok(container),
        // A tree of the store is nobody else's.
        Err(problem)
            if problem.kind() == ErrorKind::NotFound
                && !create.image.starts_with("stellarium://") =>
        {
            problem
        }
        Err(problem) => return Err(problem),
    };
    let name = ImageName { image: create.image.clone() };
    match ctx.call::<ImageInspectOp>(&name, &Nothing {}).await {
        Err(problem) if problem.kind() == ErrorKind::NotFound => {}
        _ => return Err(missing),
    }
    image::pull::pull(ctx, &create.image).await?;
    made(ctx, create).await
}

/// Creates it. An interrupt waits for that: the server would make it all the same, and nobody would know.
async fn made(ctx: &Ctx, create: &ContainerCreate) -> Result<Container, Problem> {
    let _waiting = ctx.put_signals_off();
    let container = ctx.call::<ContainerCreateOp>(&Nothing {}, create).await?;
    ctx.has_made(Made { name: container.name.clone(), auto_remove: create.auto_remove });
    Ok(told(ctx, container))
}

/// Says which of a container's limits this host does not enforce.
pub(crate) fn told(ctx: &Ctx, container: Container) -> Container {
    for limit in &container.unenforced {
        ctx.out.warn(&format!("{}: {limit}", container.name));
    }
    container
}
