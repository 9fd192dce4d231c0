//! Making an image of a container.

use crate::error::{Error, Result};
use crate::image::View;
use crate::{Engine, Progress};
use std::collections::BTreeMap;
use volt_model::container::{Spec, signal_name};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::{ImageConfig, Work};

/// What an image is to have otherwise than the one that its container began with.
#[derive(Clone, Debug)]
pub struct Commit {
    /// What to call it.
    pub image: ImageRef,
    /// What runs first; the command behind it is dropped where none is given.
    pub entrypoint: Option<Vec<String>>,
    /// What runs, or the entrypoint's arguments.
    pub command: Option<Vec<String>>,
    /// `NAME=VALUE`, over those that the image has.
    pub env: Vec<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// Free words, over those that the image has.
    pub labels: BTreeMap<String, String>,
    /// What to say of it.
    pub message: Option<String>,
    /// Replace the image of that name.
    pub force: bool,
}

impl Engine {
    /// Makes an image of what a container is at this moment; its volumes are no part of it. One that runs stands still while it is
    /// read. The image is run as the one that the container began with, but for what is said otherwise.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists` unless `force`, `Conflict` for a container on its way up or down, `Usage` for what makes no sense,
    /// `Resource` for a full disk.
    pub fn container_commit(
        &self,
        name: &Name,
        commit: Commit,
        progress: &dyn Progress,
    ) -> Result<View> {
        crate::image::refuse_digest(&commit.image)?;
        if commit.workdir.as_deref().is_some_and(|dir| !dir.starts_with('/')) {
            let title = "The working directory must be an absolute path";
            return Err(Error::new(ErrorKind::Usage, title).about(&commit.image));
        }
        let force = commit.force;
        let image = {
            let _lock = self.lock_name(name)?;
            let spec = self.spec(name)?;
            let source = match &commit.message {
                Some(message) => format!("container {name}: {message}"),
                None => format!("container {name}"),
            };
            let existing = crate::image::existing(force);
            let (target, config) = (commit.image.clone(), self.config_of(&spec, commit)?);
            let reading = self.reading(&spec)?;
            let wanted = || self.wanted_trees();
            let work = Work { wanted: &wanted, progress };
            let how = volt_store::Commit { config, existing, source };
            let made = self.images().commit(&target, &reading.layer(), how, work);
            made.map_err(|error| reading.explain(error))?
        };
        if force {
            self.collect_images();
        }
        self.assemble_image(&image, progress);
        self.image_view(image)
    }

    /// How the image wants to be run: as the one that the container began with, or where that is gone as the container itself, whose
    /// environment is its own.
    fn config_of(&self, spec: &Spec, commit: Commit) -> Result<ImageConfig> {
        let mut config = match self.images().inspect(&spec.image) {
            Ok(image) => image.config,
            Err(volt_store::Error::NotFound(_)) => ImageConfig {
                cmd: spec.command.clone(),
                user: spec.user.clone(),
                workdir: spec.workdir.clone(),
                stop_signal: Some(signal_name(spec.stop_signal)),
                ..ImageConfig::default()
            },
            Err(error) => return Err(error.into()),
        };
        changed(&mut config, commit)?;
        Ok(config)
    }
}

/// Puts what was asked for over what is there.
fn changed(config: &mut ImageConfig, commit: Commit) -> Result<()> {
    if let Some(entrypoint) = commit.entrypoint {
        config.entrypoint = entrypoint;
        config.cmd.clear();
    }
    if let Some(command) = commit.command {
        config.cmd = command;
    }
    config.env = super::merged_environment(&config.env, &commit.env)?;
    config.user = commit.user.or(config.user.take());
    config.workdir = commit.workdir.or(config.workdir.take());
    config.labels.extend(commit.labels);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_lies_over_what_the_image_has() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let labels = |list: &[(&str, &str)]| {
            list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let base = ImageConfig {
            entrypoint: words(&["/entry"]),
            cmd: words(&["serve"]),
            env: words(&["A=1", "B=2"]),
            user: Some("web".into()),
            labels: labels(&[("a", "1")]),
            ..ImageConfig::default()
        };
        let none = Commit {
            image: "x".parse().unwrap(),
            entrypoint: None,
            command: None,
            env: Vec::new(),
            user: None,
            workdir: None,
            labels: BTreeMap::new(),
            message: None,
            force: false,
        };
        let after = |commit: Commit| {
            let mut config = base.clone();
            changed(&mut config, commit).unwrap();
            config
        };
        assert_eq!(after(none.clone()), base);
        let other = after(Commit {
            entrypoint: Some(words(&["/other"])),
            env: words(&["B=3", "C="]),
            workdir: Some("/srv".into()),
            labels: labels(&[("a", "2"), ("b", "")]),
            ..none.clone()
        });
        assert_eq!((other.entrypoint, other.cmd), (words(&["/other"]), vec![]));
        assert_eq!(other.env, ["A=1", "B=3", "C="]);
        assert_eq!((other.user.as_deref(), other.workdir.as_deref()), (Some("web"), Some("/srv")));
        assert_eq!(other.labels, labels(&[("a", "2"), ("b", "")]));
        let command = after(Commit { command: Some(words(&["stop"])), ..none.clone() });
        assert_eq!((command.entrypoint, command.cmd), (words(&["/entry"]), words(&["stop"])));
        let wrong = Commit { env: words(&["x"]), ..none };
        assert!(changed(&mut base.clone(), wrong).is_err());
    }
}
