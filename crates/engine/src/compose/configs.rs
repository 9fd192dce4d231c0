//! Files of configuration that containers of a stack are given: `stacks/NAME/configs/HASH`, by content, owner and mode, so that a
//! container keeps its own until it is replaced. What the file calls external is `etc/volt/configs/NAME`, which people write.

use super::check::Refused;
use super::secrets::Owned;
use super::unreadable;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use volt_compose::stack::{AssetSource, Container, Grant};
use volt_compose::{Stack, hash};
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::mount::{Bind, Source};
use volt_model::name::Name;

/// The most that a file of configuration may hold, in bytes.
const MAX: usize = 1 << 20;
/// Who may read one where nothing is said.
const MODE: u32 = 0o444;

impl Engine {
    fn configs_dir(&self, stack: &Name) -> PathBuf {
        self.stack_dir(stack).join("configs")
    }

    /// Writes the files of configuration of a container. How they are mounted.
    pub(super) fn config_binds(&self, stack: &Stack, container: &Container) -> Result<Vec<Bind>> {
        if container.configs.is_empty() {
            return Ok(Vec::new());
        }
        // An `up` has written it before anything was made.
        let owned = self.owned_secrets(&stack.name)?.ok_or_else(|| unreadable(&stack.name))?;
        container.configs.iter().map(|grant| self.config_bind(stack, grant, &owned)).collect()
    }

    fn config_bind(&self, stack: &Stack, grant: &Grant, owned: &Owned) -> Result<Bind> {
        let key = &grant.source;
        let content = match stack.configs.get(key).map(|config| &config.source) {
            Some(AssetSource::Content(text)) => text.clone().into_bytes(),
            Some(source) => self.content_of_config(key, (source, stack))?,
            None => return Err(nothing_of(key)),
        };
        let mode = grant.mode.unwrap_or(MODE);
        // Its path is for everybody to see.
        let name = owned.hash(hash::of(&(&content, grant.uid, grant.gid, mode)).as_bytes());
        let dir = self.configs_dir(&stack.name);
        let path = dir.join(name.trim_start_matches("b3:"));
        if !path.exists() {
            files::create_dirs(&dir, 0o700)?;
            files::sweep_drafts(&dir)?;
            files::write_atomic(&path, &content, 0o600)?;
        }
        // Also of one that is there: whoever wrote it may have been killed before this.
        files::set_owner(&path, grant.uid.unwrap_or(0), grant.gid.unwrap_or(0))?;
        files::set_mode(&path, mode)?;
        Ok(Bind {
            source: Source::Host(path.to_string_lossy().into_owned()),
            target: grant.target.clone(),
            read_only: true,
        })
    }

    /// What tells the content of those files of configuration that is not in the document, by key. Those that are not there are refused.
    pub(super) fn config_marks(
        &self,
        stack: &Stack,
        services: &BTreeSet<String>,
        refused: &mut Refused,
    ) -> BTreeMap<String, String> {
        let chosen = stack.services.iter().filter(|(key, _)| services.contains(*key));
        let grants = chosen.filter_map(|(_, service)| service.container());
        let used: BTreeSet<&String> =
            grants.flat_map(|one| one.configs.iter().map(|grant| &grant.source)).collect();
        let mut marks = BTreeMap::new();
        for (key, config) in stack.configs.iter().filter(|(key, _)| used.contains(key)) {
            if matches!(config.source, AssetSource::Content(_)) {
                continue;
            }
            match self.content_of_config(key, (&config.source, stack)) {
                Ok(content) => drop(marks.insert(key.clone(), hash::of(&content))),
                Err(error) => refused.push((format!("configs.{key}"), error)),
            }
        }
        marks
    }

    /// The content of one that is a file of this host.
    fn content_of_config(
        &self,
        key: &str,
        (source, stack): (&AssetSource, &Stack),
    ) -> Result<Vec<u8>> {
        let path = match source {
            AssetSource::File(path) => PathBuf::from(path),
            AssetSource::External => {
                let name = stack.configs.get(key).and_then(|config| config.name.as_deref());
                let name = name.unwrap_or(key);
                if name.contains('/') || matches!(name, "" | "." | "..") {
                    let title = format!("The config {key} can't be called `{name}`");
                    return Err(Error::new(ErrorKind::InvalidConfig, title).about(&key));
                }
                self.paths().etc.join("configs").join(name)
            }
            // The command line has put in what a variable has.
            _ => return Err(nothing_of(key)),
        };
        files::read_bounded(&path, MAX).map_err(|e| {
            if !e.is_not_found() {
                return Error::from(e).about(&key);
            }
            let (title, path) = (format!("There is no config {key}"), path.display());
            let error = Error::new(ErrorKind::NotFound, title).about(&key);
            match source {
                AssetSource::External => {
                    error.hinted(format!("An external config is a file: write {path}"))
                }
                _ => error.because(format!("there is no file {path}")),
            }
        })
    }

    /// Removes the files of configuration that no container has any more.
    pub(super) fn sweep_configs(&self, stack: &Name) -> Result<()> {
        let dir = self.configs_dir(stack);
        let Ok(entries) = std::fs::read_dir(&dir) else { return Ok(()) };
        let specs = self.every_spec()?;
        let used: HashSet<&str> = specs
            .iter()
            .flat_map(|spec| &spec.binds)
            .filter_map(|bind| match &bind.source {
                Source::Host(path) => Some(path.as_str()),
                Source::Volume(_) | Source::Part(..) => None,
            })
            .collect();
        for path in entries.flatten().map(|entry| entry.path()) {
            if !path.to_str().is_some_and(|path| used.contains(path)) {
                files::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

fn nothing_of(key: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("Nothing is known of the config {key}")).about(&key)
}
