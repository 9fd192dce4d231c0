//! `volt compose pull`, and the images that `up` needs.

use super::project::Project;
use super::up::unknown;
use crate::commands::image;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::collections::BTreeMap;
use volt_api::Problem;
use volt_api::operations::{ImageListOp, ImagePullOp};
use volt_api::types::{Image, ImagePull, Nothing};
use volt_compose::stack::{Container, Pull};
use volt_compose::{Stack, names, plan};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt compose pull
  volt compose pull web";

/// Get the images of a stack, also where they are there
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// These services alone
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
}

/// Gets them.
pub(crate) async fn run(ctx: &Ctx, project: &Project, args: Args) -> Outcome {
    let stack = project.load(ctx, &args.services)?.stack;
    if let Some(key) = args.services.iter().find(|key| !stack.services.contains_key(*key)) {
        return Err(unknown(&stack, key));
    }
    let wanted = |key: &String| args.services.is_empty() || args.services.contains(key);
    let mut pulled: Vec<Image> = Vec::new();
    for (_, service) in stack.services.iter().filter(|(key, _)| wanted(key)) {
        let Some(container) = service.container().filter(|one| one.build.is_none()) else {
            continue;
        };
        let Some(image) = container.image.as_ref().map(ToString::to_string) else { continue };
        if pulled.iter().all(|known| !same(&known.name, &image)) {
            pulled.push(pull(ctx, container, &image).await?);
        }
    }
    let names: String = pulled.iter().map(|image| format!("{}\n", image.name)).collect();
    Ok(Output::text(&pulled, stack.name.as_str(), names))
}

async fn pull(ctx: &Ctx, container: &Container, image: &str) -> Result<Image, Problem> {
    let account = crate::accounts::of(ctx, image).await?;
    let pull = ImagePull {
        image: image.to_owned(),
        platform: container.platform.clone(),
        account,
        force: true,
        ..ImagePull::default()
    };
    ctx.progress::<ImagePullOp>(&Nothing {}, &pull).await
}

fn same(one: &str, other: &str) -> bool {
    let full = |text: &str| text.parse::<ImageRef>().map(|image| image.encoded()).ok();
    full(one) == full(other)
}

/// When images are got and built, over what the files say.
pub(super) struct How {
    pub(super) when: Option<String>,
    pub(super) build: bool,
    pub(super) no_build: bool,
}

impl How {
    /// As the files say.
    pub(super) fn by_the_files() -> Self {
        Self { when: None, build: false, no_build: false }
    }
}

/// Gets and builds what the services of a stack need and is not there.
pub(super) async fn missing(
    ctx: &Ctx,
    stack: &Stack,
    services: &[String],
    how: &How,
) -> Result<(), Problem> {
    let options = plan::Options { services: services.to_vec(), ..plan::Options::default() };
    let chosen = plan::chosen(stack, &options);
    let there = ctx.call::<ImageListOp>(&Nothing {}, &Nothing {}).await?;
    let there: BTreeMap<String, Image> = there
        .into_iter()
        .filter_map(|image| Some((image.name.parse::<ImageRef>().ok()?.encoded(), image)))
        .collect();
    let mut done: Vec<String> = Vec::new();
    for (key, service) in stack.services.iter().filter(|(key, _)| chosen.contains(*key)) {
        let Some(container) = service.container() else { continue };
        let built = || names::of_built_image(&stack.name, key);
        let image = container.image.as_ref().map_or_else(built, ToString::to_string);
        if done.iter().any(|known| same(known, &image)) {
            continue;
        }
        let known = image.parse::<ImageRef>().ok().and_then(|image| there.get(&image.encoded()));
        get(ctx, container, &image, known, how).await?;
        done.push(image);
    }
    Ok(())
}

/// Gets or builds one image, where that is due.
async fn get(
    ctx: &Ctx,
    container: &Container,
    image: &str,
    known: Option<&Image>,
    how: &How,
) -> Result<(), Problem> {
    let wanted = match how.when.as_deref() {
        Some("always") => Pull::Always,
        Some("missing") => Pull::Missing,
        Some(_) => Pull::Never,
        None => container.pull,
    };
    if let Some(build) = container.build.as_ref().filter(|_| !how.no_build) {
        if how.build || known.is_none() || wanted == Pull::Build {
            return image::build::for_stack(ctx, image, build).await.map(drop);
        }
        return Ok(());
    }
    let due = match (wanted, known) {
        (Pull::Always, _) => true,
        (Pull::Every(seconds), Some(known)) => is_older(known, seconds),
        (Pull::Never, None) => {
            let title = format!("There is no image {image}, and it is not to be pulled");
            return Err(Problem::new(ErrorKind::NotFound, title).about(image));
        }
        (_, known) => known.is_none(),
    };
    match (due, known) {
        (false, _) => Ok(()),
        (true, Some(_)) => pull(ctx, container, image).await.map(drop),
        (true, None) => image::pull::pull(ctx, image).await.map(drop),
    }
}

fn is_older(image: &Image, seconds: u64) -> bool {
    let Ok(created) = image.created.parse::<jiff::Timestamp>() else { return true };
    let age = jiff::Timestamp::now().as_second().saturating_sub(created.as_second());
    u64::try_from(age).unwrap_or_default() > seconds
}
