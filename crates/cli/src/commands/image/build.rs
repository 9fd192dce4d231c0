//! `volt image build`.

use super::pull;
use crate::commands::container::flags::{env_value, label};
use crate::copy::file_problem;
use crate::copy::pack::{self, Owners, Packed};
use crate::ctx::Ctx;
use crate::output::{Outcome, Output, clean};
use clap::ValueHint;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use volt_api::Problem;
use volt_api::operations::{ImageBuildOp, ImageInspectOp, ImageTagOp};
use volt_api::types::{Image, ImageBuild, ImageName, ImageTag, Nothing};
use volt_compose::stack::Build;
use volt_model::containerfile;
use volt_model::kind::ErrorKind;

const EXAMPLES: &str = "\
Examples:
  volt image build ./rootfs site --entrypoint /usr/bin/serve --expose 80
  volt image build . my/app:1
  volt image build --file build/Containerfile --build-arg SUITE=trixie . my/app:2
  sudo volt image build --target tools . my/tools";

/// What a folder has that is built by a file, in the order in which it is looked for.
const FILES: [&str; 2] = ["Containerfile", "Dockerfile"];

/// Make an image of a folder
///
/// Where the folder has a Containerfile or Dockerfile, the image is what that says: buildah follows it, with images of Volt to begin with,
/// pulled where they are missing. Only root may do that. Else the folder is the root file system itself, and how the image is run is
/// said here.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The Containerfile, by its path in the folder
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Set an argument of the Containerfile; NAME alone takes this one's value
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
    /// The stage of the Containerfile to stop at; the last where nothing is said
    #[arg(long, value_name = "STAGE")]
    target: Option<String>,
    #[command(flatten)]
    run: RunFlags,
    /// Replace the image of that name
    #[arg(long, short)]
    force: bool,
    /// The folder
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    folder: PathBuf,
    /// What to call it
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// How the image is run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How it is run (without a Containerfile)")]
struct RunFlags {
    /// What runs first, words parted by spaces
    #[arg(long, value_name = "COMMAND")]
    entrypoint: Option<String>,
    /// What runs, or the entrypoint's arguments, words parted by spaces
    #[arg(long, alias = "cmd", value_name = "WORDS", allow_hyphen_values = true)]
    command: Option<String>,
    /// Set an environment variable; NAME alone takes this one's value
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Who runs it: NAME[:GROUP] or numbers
    #[arg(long, short, value_name = "USER")]
    user: Option<String>,
    /// Where it starts
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// A path that is to be a volume
    #[arg(long, short, value_name = "PATH")]
    volume: Vec<String>,
    /// The signal that asks it to end
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// A port that it listens on: 80 or 53/udp
    #[arg(long, value_name = "PORT")]
    expose: Vec<String>,
    /// Attach a label
    #[arg(long, short, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
}

/// Makes it.
pub(crate) async fn run(ctx: &Ctx, args: Args) -> Outcome {
    let values = |texts: &[String]| texts.iter().filter_map(|text| env_value(text)).collect();
    let words = |text: Option<String>| -> Vec<String> {
        text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
    };
    let path = args.folder.canonicalize().map_err(|e| file_problem("read", &args.folder, &e))?;
    let run = args.run;
    let mut build = ImageBuild {
        image: args.image,
        path: None,
        file: file(&path, args.file.as_deref())?,
        build_args: values(&args.build_arg),
        target: args.target,
        entrypoint: words(run.entrypoint),
        command: words(run.command),
        env: values(&run.env),
        user: run.user,
        workdir: run.workdir,
        stop_signal: run.stop_signal,
        volumes: run.volume,
        exposed_ports: run.expose,
        labels: run.label.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
        force: args.force,
        ..ImageBuild::default()
    };
    let image = built(ctx, &path, &mut build).await?;
    Ok(Output::text(&image, &image.name, format!("{}\n", image.name)))
}

/// What is asked of the build of a service over what its stack says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anew {
    /// Images that it begins with are got anew.
    pub(crate) pull: bool,
    /// Arguments, `NAME=VALUE`.
    pub(crate) args: Vec<String>,
}

/// Makes the image of a service of a stack, under all its names. `secrets` are files by the ids of what its commands may read.
pub(crate) async fn for_stack(
    ctx: &Ctx,
    image: &str,
    build: &Build,
    secrets: &[(String, PathBuf)],
    anew: &Anew,
) -> Result<Image, Problem> {
    let folder = Path::new(&build.context);
    let path = folder.canonicalize().map_err(|e| file_problem("read", folder, &e))?;
    let mut wanted = ImageBuild { image: image.to_owned(), force: true, ..asked(build)? };
    wanted.build_args.extend(anew.args.iter().filter_map(|arg| env_value(arg)));
    if wanted.containerfile.is_none() {
        wanted.file = file(&path, build.dockerfile.as_deref().map(Path::new))?;
    }
    wanted.secrets = secrets.iter().map(|(id, path)| format!("{id}={}", path.display())).collect();
    ctx.out.note(&format!("The image {image} is built of {}.", path.display()));
    if anew.pull || build.pull {
        for base in bases(&path, &wanted)? {
            drop(pull::anew(ctx, &base).await?);
        }
    }
    let made = built(ctx, &path, &mut wanted).await?;
    for tag in &build.tags {
        let named = ImageTag { image: image.to_owned(), to: tag.to_string() };
        drop(ctx.call::<ImageTagOp>(&named, &Nothing {}).await?);
    }
    Ok(made)
}

/// What a stack says of a build.
fn asked(build: &Build) -> Result<ImageBuild, Problem> {
    let usage = |title: String| Problem::new(ErrorKind::Usage, title);
    let far = build.additional_contexts.iter().find(|(_, place)| !place.starts_with('/'));
    if let Some((name, place)) = far {
        let title = format!("{place}, the further context {name}, is no folder of this host");
        return Err(usage(title).hinted("Get it first, and name the folder"));
    }
    if build.platforms.len() > 1 {
        let title =
            format!("An image is built for one platform, not for {}", build.platforms.join(", "));
        return Err(usage(title).hinted("Name that of this host, or none"));
    }
    let pairs = |map: &BTreeMap<String, String>| {
        map.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    Ok(ImageBuild {
        containerfile: build.dockerfile_inline.clone(),
        build_args: pairs(&build.args),
        target: build.target.clone(),
        labels: pairs(&build.labels),
        contexts: pairs(&build.additional_contexts),
        hosts: build.extra_hosts.iter().map(ToString::to_string).collect(),
        ulimits: build.ulimits.iter().map(ToString::to_string).collect(),
        network: build.network.clone(),
        platform: build.platforms.first().cloned(),
        ..ImageBuild::default()
    })
}

async fn built(ctx: &Ctx, path: &Path, build: &mut ImageBuild) -> Result<Image, Problem> {
    for image in bases(path, build)? {
        let name = ImageName { image: image.clone() };
        match ctx.call::<ImageInspectOp>(&name, &Nothing {}).await {
            Err(problem) if problem.kind() == ErrorKind::NotFound => {
                drop(pull::pull(ctx, &image).await?);
            }
            Err(problem) => return Err(problem),
            Ok(_) => {}
        }
    }
    let seen = rustix::process::geteuid().is_root() && ctx.choice().await?.is_local();
    let image = if let (true, Some(text)) = (seen, path.to_str()) {
        build.path = Some(text.to_owned());
        let nothing = Box::pin(futures_util::stream::empty());
        ctx.upload_progress::<ImageBuildOp>(build, nothing, None).await?
    } else {
        if !build.contexts.is_empty() || !build.secrets.is_empty() {
            let title = "Further contexts and secrets of a build are read by root on this host";
            return Err(Problem::new(ErrorKind::Permission, title));
        }
        let (body, left_out) =
            pack::body(Packed { from: path.to_owned(), name: None, owners: Owners::Kept });
        let image = ctx.upload_progress::<ImageBuildOp>(build, body, None).await?;
        left_out.tell(&ctx.out);
        image
    };
    for line in &image.neutralised {
        ctx.out.note(&clean(line));
    }
    Ok(image)
}

/// The Containerfile, by its path in the folder: the one that is named, else the one that is there.
fn file(folder: &Path, named: Option<&Path>) -> Result<Option<String>, Problem> {
    let Some(named) = named else {
        let there = FILES.iter().find(|file| folder.join(file).is_file());
        return Ok(there.map(|file| (*file).to_owned()));
    };
    // As it is meant from the folder, or as it is seen from here.
    let path = folder.join(named);
    let found = path.canonicalize().or_else(|_| named.canonicalize());
    let found = found.map_err(|e| file_problem("read", named, &e))?;
    let inside = found.strip_prefix(folder).ok().and_then(Path::to_str);
    inside.map(|file| Some(file.to_owned())).ok_or_else(|| {
        let title = format!("{} is not in the folder that is built", named.display());
        Problem::new(ErrorKind::Usage, title)
    })
}

/// The images that the Containerfile begins with or copies from; none where there is none.
fn bases(folder: &Path, build: &ImageBuild) -> Result<Vec<String>, Problem> {
    let text = match (&build.containerfile, &build.file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            let path = folder.join(file);
            std::fs::read_to_string(&path).map_err(|e| file_problem("read", &path, &e))?
        }
        (None, None) => return Ok(Vec::new()),
    };
    let given: BTreeMap<String, String> = build
        .build_args
        .iter()
        .filter_map(|arg| arg.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_folder = |name: &String| {
        build
            .contexts
            .iter()
            .any(|context| context.split_once('=').is_some_and(|(one, _)| one == name))
    };
    let mut bases = containerfile::bases(&text, &given);
    bases.retain(|name| !is_folder(name));
    Ok(bases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_file_says_how() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        assert_eq!(file(&folder, None).unwrap(), None);
        std::fs::create_dir(folder.join("sub")).unwrap();
        for name in ["Dockerfile", "Containerfile", "sub/other"] {
            std::fs::write(folder.join(name), "").unwrap();
            let want = if name == "sub/other" { "Containerfile" } else { name };
            assert_eq!(file(&folder, None).unwrap().as_deref(), Some(want));
        }
        let named = |name: &Path| file(&folder, Some(name));
        assert_eq!(named(Path::new("sub/other")).unwrap().as_deref(), Some("sub/other"));
        assert_eq!(named(&folder.join("Dockerfile")).unwrap().as_deref(), Some("Dockerfile"));
        assert_eq!(named(Path::new("none")).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(named(Path::new("/etc/passwd")).unwrap_err().kind(), ErrorKind::Usage);
    }
}
