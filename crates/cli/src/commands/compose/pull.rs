//! `volt compose pull`, and the images that `up` needs.

use super::project::{Lines, Project};
use super::up::all_known;
use crate::commands::image::{self, build::Anew};
use crate::copy::file_problem;
use crate::ctx::Ctx;
use crate::output::{Outcome, Output};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempPath;
use volt_api::Problem;
use volt_api::operations::{ComposePlanOp, ImageListOp, ImagePullOp};
use volt_api::types::{ComposeUp, Image, ImagePull, Named, Nothing};
use volt_compose::interpolate::Variables;
use volt_compose::stack::{AssetSource, Container, Pull, Service, Workload};
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
    all_known(&stack, &args.services)?;
    let wanted = |key: &String| args.services.is_empty() || args.services.contains(key);
    let mut pulled: Vec<Image> = Vec::new();
    for (_, service) in stack.services.iter().filter(|(key, _)| wanted(key)) {
        let Some(container) = container_of(service).filter(|one| one.build.is_none()) else {
            continue;
        };
        let Some(image) = container.image.as_ref().map(ToString::to_string) else { continue };
        if pulled.iter().all(|known| !same(&known.name, &image)) {
            pulled.push(pull(ctx, &container, &image).await?);
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

/// What is said of the image of a service: a task in a container has one too.
fn container_of(service: &Service) -> Option<Cow<'_, Container>> {
    match &service.workload {
        Workload::Container(container) => Some(Cow::Borrowed(container)),
        Workload::Task(task) => {
            let image = Some(task.container.clone()?);
            Some(Cow::Owned(Container { image, ..Container::default() }))
        }
        _ => None,
    }
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

    fn wanted(&self, container: &Container) -> Pull {
        match self.when.as_deref() {
            Some("always") => Pull::Always,
            Some("missing") => Pull::Missing,
            Some(_) => Pull::Never,
            None => container.pull,
        }
    }
}

/// Gets and builds what the services need that are to be brought up, and is not there. Secrets of builds are taken from these variables.
/// What is refused of the stack for another reason is so before anything is got.
pub(super) async fn missing(
    ctx: &Ctx,
    (stack, variables): (&Stack, &Variables),
    up: &ComposeUp,
    how: &How,
) -> Result<(), Problem> {
    let options = plan::Options {
        services: up.services.clone(),
        no_dependencies: up.no_deps,
        ..plan::Options::default()
    };
    let chosen = plan::chosen(stack, &options);
    let there = ctx.call::<ImageListOp>(&Nothing {}, &Nothing {}).await?;
    let there: BTreeMap<String, Image> = there
        .into_iter()
        .filter_map(|image| Some((image.name.parse::<ImageRef>().ok()?.encoded(), image)))
        .collect();
    let (mut done, mut due) = (Vec::<String>::new(), Vec::new());
    let mut refused = Vec::new();
    for (key, service) in stack.services.iter().filter(|(key, _)| chosen.contains(*key)) {
        let Some(container) = container_of(service) else { continue };
        let image = name(stack, key, &container);
        if done.iter().any(|known| same(known, &image)) {
            continue;
        }
        let known = image.parse::<ImageRef>().ok().and_then(|image| there.get(&image.encoded()));
        let wanted = how.wanted(&container);
        if container.build.is_some() && !how.no_build {
            let is_due = how.build || known.is_none() || wanted == Pull::Build;
            due.extend(is_due.then(|| Due::Build(key)));
        } else if known.is_none() && wanted == Pull::Never {
            refused.push(format!("{key}: there is no image {image}, and it is not to be pulled"));
        } else if is_due(known, wanted) {
            due.push(Due::Pull(container, image.clone(), known.is_none()));
        }
        done.push(image);
    }
    if !refused.is_empty() {
        let title = format!("The stack {} has not all of its images", stack.name);
        return Err(Problem::new(ErrorKind::NotFound, title).because(&Lines(refused.join("\n"))));
    }
    if due.is_empty() {
        return Ok(());
    }
    let named = Named { name: stack.name.to_string() };
    let planned = ComposeUp { images_later: true, ..up.clone() };
    drop(ctx.call::<ComposePlanOp>(&named, &planned).await?);
    for one in due {
        match one {
            Due::Build(key) => {
                drop(build(ctx, stack, variables, (key, &Anew::default())).await?);
            }
            Due::Pull(container, image, is_missing) => {
                if is_missing {
                    image::pull::tell_missing(ctx, &image);
                }
                drop(pull(ctx, &container, &image).await?);
            }
        }
    }
    Ok(())
}

/// What is to be done about an image.
#[expect(clippy::large_enum_variant, reason = "there are as many as a stack has images")]
enum Due<'a> {
    /// That of a service is built.
    Build(&'a str),
    /// That of a container is got; whether it is not there.
    Pull(Cow<'a, Container>, String, bool),
}

/// What the image of a service is called.
fn name(stack: &Stack, key: &str, container: &Container) -> String {
    let built = || names::of_built_image(&stack.name, key);
    container.image.as_ref().map_or_else(built, ToString::to_string)
}

/// Builds the image of a service, also where it is there.
///
/// # Errors
/// `Usage` for a service that is not built.
pub(super) async fn build(
    ctx: &Ctx,
    stack: &Stack,
    variables: &Variables,
    (key, anew): (&str, &Anew),
) -> Result<Image, Problem> {
    let container = stack.services.get(key).and_then(|service| service.container());
    let built = container.and_then(|container| Some((container, container.build.as_ref()?)));
    let Some((container, build)) = built else {
        let title = format!("The service {key} is not built: it has no `build:`");
        return Err(Problem::new(ErrorKind::Usage, title).about(key));
    };
    let secrets = Secrets::of(stack, variables, &build.secrets)?;
    image::build::for_stack(ctx, &name(stack, key, container), build, &secrets.files, anew).await
}

/// The secrets of a build as files, which are gone when this is.
struct Secrets {
    /// Each by its id.
    files: Vec<(String, PathBuf)>,
    written: Vec<TempPath>,
}

impl Secrets {
    fn of(
        stack: &Stack,
        variables: &Variables,
        wanted: &[(String, String)],
    ) -> Result<Self, Problem> {
        let mut secrets = Self { files: Vec::new(), written: Vec::new() };
        for (key, id) in wanted {
            let path = match stack.secrets.get(key).map(|secret| &secret.source) {
                Some(AssetSource::File(path)) => PathBuf::from(path),
                Some(AssetSource::Environment(name)) => {
                    let value = variables.get(name).ok_or_else(|| {
                        let title = format!("The variable {name}, the secret {key}, is not set");
                        Problem::new(ErrorKind::NotFound, title)
                    })?;
                    secrets.write(value.as_bytes())?
                }
                Some(AssetSource::Content(text)) => secrets.write(text.as_bytes())?,
                Some(AssetSource::External) | None => {
                    let title = format!("The secret {key} is kept by Volt, and not for builds");
                    return Err(Problem::new(ErrorKind::Usage, title)
                        .hinted("Say under `secrets:` which file or variable it is"));
                }
            };
            secrets.files.push((id.clone(), path));
        }
        Ok(secrets)
    }

    /// In memory, for this user alone to read.
    fn write(&mut self, content: &[u8]) -> Result<PathBuf, Problem> {
        let memory = Path::new("/dev/shm");
        let failed = |e: std::io::Error| file_problem("written", memory, &e);
        let named = tempfile::Builder::new().prefix("volt-build-").tempfile_in(memory);
        let mut file = named.map_err(failed)?;
        file.write_all(content).and_then(|()| file.flush()).map_err(failed)?;
        let path = file.into_temp_path();
        let place = path.to_path_buf();
        self.written.push(path);
        Ok(place)
    }
}

/// Whether an image is to be got.
fn is_due(known: Option<&Image>, wanted: Pull) -> bool {
    match (wanted, known) {
        (Pull::Always, _) => true,
        (Pull::Every(seconds), Some(known)) => is_older(known, seconds),
        (_, known) => known.is_none(),
    }
}

fn is_older(image: &Image, seconds: u64) -> bool {
    let Ok(created) = image.created.parse::<jiff::Timestamp>() else { return true };
    let age = jiff::Timestamp::now().as_second().saturating_sub(created.as_second());
    u64::try_from(age).unwrap_or_default() > seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use volt_compose::files::Disk;
    use volt_compose::{Request, load};

    #[test]
    fn secrets_of_a_build_have_their_ids_and_what_the_variables_say() {
        let folder = tempfile::tempdir().unwrap();
        let text = "services: {web: {build: {context: ., secrets: [plain, {source: token, target: npm}]}}}\n\
                    secrets: {plain: {file: ./plain}, token: {environment: OF_DOTENV}}\n";
        std::fs::write(folder.path().join("compose.yaml"), text).unwrap();
        std::fs::write(folder.path().join(".env"), "OF_DOTENV=hidden\n").unwrap();
        let request = Request { folder: folder.path().to_owned(), ..Request::default() };
        let loaded = load(&Disk, &request).unwrap();
        let build = loaded.stack.services["web"].container().unwrap().build.clone().unwrap();
        let secrets = Secrets::of(&loaded.stack, &loaded.variables, &build.secrets).unwrap();
        let [(plain, file), (npm, written)] = &secrets.files[..] else { panic!("not two") };
        assert_eq!((plain.as_str(), npm.as_str()), ("plain", "npm"));
        assert!(file.ends_with("plain"));
        assert_eq!(std::fs::read_to_string(written).unwrap(), "hidden");
        let none = Variables::new();
        assert!(Secrets::of(&loaded.stack, &none, &build.secrets).is_err());
    }
}
