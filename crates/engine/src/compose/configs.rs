//! Files of configuration that containers of a stack are given: `stacks/NAME/configs/HASH`, by content, owner and mode, so that a
//! container keeps its own until it is replaced.

use crate::Engine;
use crate::error::{Error, Result};
use std::collections::HashSet;
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
        container.configs.iter().map(|grant| self.config_bind(stack, grant)).collect()
    }

    fn config_bind(&self, stack: &Stack, grant: &Grant) -> Result<Bind> {
        let config = stack.configs.get(&grant.source).map(|config| &config.source);
        let content = match config {
            Some(AssetSource::Content(text)) => text.clone().into_bytes(),
            Some(AssetSource::File(path)) => files::read_bounded(path.as_ref(), MAX)?,
            // The command line has put in what a variable has; others are refused before.
            _ => {
                let title = format!("Nothing is known of the config {}", grant.source);
                return Err(Error::new(ErrorKind::NotFound, title).about(&grant.source));
            }
        };
        let mode = grant.mode.unwrap_or(MODE);
        let name = hash::of(&(&content, grant.uid, grant.gid, mode));
        let dir = self.configs_dir(&stack.name);
        let path = dir.join(name.trim_start_matches("b3:"));
        if !path.exists() {
            files::create_dirs(&dir, 0o700)?;
            files::sweep_drafts(&dir)?;
            files::write_atomic(&path, &content, 0o600)?;
            files::set_owner(&path, grant.uid.unwrap_or(0), grant.gid.unwrap_or(0))?;
            files::set_mode(&path, mode)?;
        }
        Ok(Bind {
            source: Source::Host(path.to_string_lossy().into_owned()),
            target: grant.target.clone(),
            read_only: true,
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
                Source::Volume(_) => None,
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
