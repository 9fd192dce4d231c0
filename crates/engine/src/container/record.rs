//! What is kept of a container on disk: `containers/NAME/{config.json,environment.json,exit.json}`; `state.json` is `told`'s.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::PathBuf;
use volt_host::files;
use volt_model::container::{Exit, Spec};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// The most a record's file may hold, in bytes.
const MAX: usize = 4 << 20;

/// The values of environment variables, `NAME=VALUE`: apart from the spec, because only some may read them.
pub(crate) type Environment = Vec<String>;

impl Engine {
    /// Whether there is a container of that name.
    pub(crate) fn container_exists(&self, name: &Name) -> bool {
        self.paths().container(name).join("config.json").exists()
    }

    /// The spec of a container.
    pub(crate) fn spec(&self, name: &Name) -> Result<Spec> {
        let path = self.paths().container(name).join("config.json");
        match files::read_json::<Spec>(&path, MAX) {
            Ok(spec) if spec.version == Spec::VERSION => Ok(spec),
            Ok(spec) => Err(Error::new(
                ErrorKind::InvalidConfig,
                format!(
                    "The container {name} was written by another version of Volt (format {})",
                    spec.version
                ),
            )
            .about(name)),
            Err(e) if e.is_not_found() => {
                Err(Error::not_found("container", name).hinted("`volt ps -a` lists all there are"))
            }
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::from(e).about(name))
            }
            Err(e) => {
                let title = format!("The record of the container {name} can't be read");
                Err(Error::new(ErrorKind::InvalidConfig, title).about(name).because(e).hinted(
                    format!(
                        "Mend it, or give the container up: volt container delete --force {name}"
                    ),
                ))
            }
        }
    }

    /// The names of all containers, sorted.
    pub(crate) fn container_names(&self) -> Result<Vec<Name>> {
        let dir = self.paths().containers();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(files::Error::new("read", &dir, e).into()),
        };
        let mut names: Vec<Name> =
            entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The specs of all containers, sorted by name. One that vanishes meanwhile is left out; one that can't be read too, and is
    /// told in the log: `system check` names it.
    pub(crate) fn specs(&self) -> Result<Vec<Spec>> {
        Ok(self.records()?.0)
    }

    /// The same, with the names of those that can't be read.
    pub(crate) fn records(&self) -> Result<(Vec<Spec>, Vec<Name>)> {
        let (mut specs, mut unreadable) = (Vec::new(), Vec::new());
        for name in self.container_names()? {
            match self.spec(&name) {
                Ok(spec) => specs.push(spec),
                Err(e) if e.kind == ErrorKind::NotFound => {}
                // None is damaged: they are for others.
                Err(e) if e.kind == ErrorKind::Permission => return Err(e),
                Err(e) => {
                    tracing::warn!(%name, error = %e.chain().join(": "), "a container's record can't be read");
                    unreadable.push(name);
                }
            }
        }
        Ok((specs, unreadable))
    }

    /// The same, where something that a container may need is about to be removed: not to know must never be taken for nobody.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub(crate) fn every_spec(&self) -> Result<Vec<Spec>> {
        let read = |name: Name| match self.spec(&name) {
            Err(e) if e.kind == ErrorKind::NotFound => None,
            other => Some(other),
        };
        self.container_names()?.into_iter().filter_map(read).collect()
    }

    /// Writes a container's spec in place of its old one.
    pub(crate) fn save_spec(&self, spec: &Spec) -> Result<()> {
        let path = self.paths().container(&spec.name).join("config.json");
        Ok(files::write_json(&path, spec, 0o644)?)
    }

    /// The environment of a container; none where the caller may not read it.
    pub(crate) fn environment(&self, name: &Name) -> Option<Environment> {
        files::read_json(&self.environment_path(name), MAX).ok()
    }

    /// Where a container's environment lies.
    pub(crate) fn environment_path(&self, name: &Name) -> PathBuf {
        self.paths().container(name).join("environment.json")
    }

    /// How a container's last run ended.
    pub(crate) fn last_exit(&self, name: &Name) -> Option<Exit> {
        files::read_json(&self.paths().container(name).join("exit.json"), MAX).ok()
    }

    /// Records how a container's run ended.
    pub(crate) fn save_exit(&self, name: &Name, exit: &Exit) -> Result<()> {
        let spec = self.spec(name);
        if let Ok(spec) = &spec
            && spec.auto_remove
        {
            self.keep_end(spec, exit)?;
        }
        let path = self.paths().container(name).join("exit.json");
        self.reserve().or_give_up(|| files::write_json(&path, exit, 0o644))?;
        match spec {
            Ok(spec) => self.tell_exit(&spec, exit),
            Err(_) => Ok(()),
        }
    }
}
