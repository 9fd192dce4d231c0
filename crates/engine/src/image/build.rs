//! Making an image of a folder: as it is, or by a Containerfile in it.

use super::{Containerfile, ImageConfig, Source, Steps, View};
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use std::collections::BTreeMap;
use std::path::Path;
use volt_model::container::{parse_signal, signal_name};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_store::{Folder, Platform, Recipe, Work};

/// What to build.
#[derive(Debug)]
pub struct Build {
    /// What to call it.
    pub image: ImageRef,
    /// The folder.
    pub source: Source,
    /// Replace the image of that name.
    pub force: bool,
}

/// How a Containerfile is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByFile {
    /// Where it is.
    pub file: Containerfile,
    /// `NAME=VALUE` for its arguments.
    pub args: Vec<String>,
    /// The stage to stop at; else the last.
    pub target: Option<String>,
    /// What it is built for; else this host.
    pub platform: Option<String>,
    /// What its steps have.
    pub steps: Steps,
}

impl Engine {
    /// Makes an image of a root file system that is run as `config` says.
    ///
    /// # Errors
    /// As [`Engine::image_import`]; `Usage` for a config that makes no sense.
    pub fn image_build(
        &self,
        Build { image, source, force }: Build,
        config: ImageConfig,
        progress: &dyn Progress,
    ) -> Result<View> {
        let config = sensible(config).map_err(|error| error.about(&image))?;
        self.image_import_as(&image, source, (config, force), progress)
    }

    /// Makes an image by a Containerfile. Its commands run with root's rights: only root may ask for it.
    ///
    /// # Errors
    /// `Dependency` without buildah; `NotFound` for an image that it begins with; `AlreadyExists` unless `force`; `General` with the last
    /// lines of a build that failed.
    pub fn image_build_by_file(
        &self,
        Build { image, source, force }: Build,
        by: ByFile,
        progress: &dyn Progress,
    ) -> Result<View> {
        super::refuse_digest(&image)?;
        refuse_others(by.platform.as_deref())?;
        let args = by.args.iter().map(|arg| match arg.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(wrong("An argument of a build is written NAME=VALUE").about(arg)),
        });
        let args = args.collect::<Result<BTreeMap<_, _>>>()?;
        self.tidy_images();
        let (folder, was_sent) = match source {
            Source::Path(path) => {
                crate::cas::folder(&path)?;
                (Folder::Path(path), false)
            }
            Source::Reader(reader) => (Folder::Archive(reader), true),
            Source::Tree(_) => {
                return Err(wrong("A Containerfile is followed in a folder, not in a tree"));
            }
        };
        let recipe = Recipe { folder, file: by.file, args, target: by.target, steps: by.steps };
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let options = self.import_options(force)?;
        let made = self.images().build_by_file(&image, recipe, options, work);
        if force || was_sent {
            self.collect_images();
        }
        let made = made?;
        self.assemble_image(&made, progress);
        self.image_view(made)
    }
}

/// Refuses what is to run elsewhere: commands of another architecture don't run here.
fn refuse_others(platform: Option<&str>) -> Result<()> {
    let own = Platform::own().to_string();
    match platform.filter(|wanted| **wanted != own && !wanted.starts_with(&format!("{own}/"))) {
        Some(other) => {
            let title = format!("Images are built for {own}, which this host is, not for {other}");
            Err(Error::new(ErrorKind::Usage, title).about(&other))
        }
        None => Ok(()),
    }
}

fn wrong(title: &str) -> Error {
    Error::new(ErrorKind::Usage, title)
}

/// A config as OCI writes it, or what is wrong with it.
fn sensible(mut config: ImageConfig) -> Result<ImageConfig> {
    let is_place = |path: &String| Path::new(path).is_absolute() && !path.contains('\0');
    if !config.workdir.iter().all(is_place) {
        return Err(wrong("The working directory must be an absolute path"));
    }
    if !config.volumes.iter().all(is_place) {
        return Err(wrong("A volume of an image is an absolute path in it"));
    }
    if config.entrypoint.iter().chain(&config.cmd).any(|word| word.contains('\0')) {
        return Err(wrong("A word of a command has no NUL byte in it"));
    }
    config.env = crate::container::merged_environment(&[], &config.env)?;
    if let Some(signal) = &mut config.stop_signal {
        let number =
            parse_signal(signal).map_err(|e| Error::new(ErrorKind::Usage, e.to_string()))?;
        *signal = signal_name(number);
    }
    for port in &mut config.exposed_ports {
        *port = port_of(port).ok_or_else(|| {
            wrong("A port is a number from 1 to 65535, with /tcp or /udp behind it").about(port)
        })?;
    }
    Ok(config)
}

/// `80` is `80/tcp`.
fn port_of(text: &str) -> Option<String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number: u16 = number.parse().ok().filter(|number| *number > 0)?;
    let is_known = ["tcp", "udp", "sctp"].contains(&protocol);
    is_known.then(|| format!("{number}/{protocol}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs_that_make_sense() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let config = sensible(ImageConfig {
            env: words(&["A=1", "B=", "A=2"]),
            stop_signal: Some("quit".into()),
            exposed_ports: words(&["80", "53/udp"]),
            volumes: words(&["/data"]),
            ..ImageConfig::default()
        });
        let config = config.unwrap();
        assert_eq!(config.env, ["B=", "A=2"]);
        assert_eq!(config.stop_signal.as_deref(), Some("SIGQUIT"));
        assert_eq!(config.exposed_ports, ["80/tcp", "53/udp"]);
        let none = ImageConfig::default;
        for config in [
            ImageConfig { workdir: Some("srv".into()), ..none() },
            ImageConfig { volumes: words(&["data"]), ..none() },
            ImageConfig { env: words(&["A"]), ..none() },
            ImageConfig { stop_signal: Some("SIGNOTHING".into()), ..none() },
            ImageConfig { exposed_ports: words(&["0"]), ..none() },
            ImageConfig { exposed_ports: words(&["80/http"]), ..none() },
            ImageConfig { cmd: words(&["a\0b"]), ..none() },
        ] {
            let error = sensible(config.clone()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage, "{config:?}");
        }
    }
}
