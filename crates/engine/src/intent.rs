//! Intents: a change of several steps is written down before its first step, under `var/lib/volt/intents`, and struck out
//! after its last. Whoever locks the name next finds what a killed command left, and finishes or undoes it.

use crate::{Engine, Result};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use volt_host::files;
use volt_model::limits::Limits;
use volt_model::name::Name;

/// A change of several steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Intent {
    /// A container is being made; undone unless its folder is in place.
    Create {
        /// What it is called.
        name: Name,
        /// The volumes that are made for it alone.
        #[serde(default)]
        volumes: Vec<Name>,
        /// The tree that it is to stand on, which stays meanwhile.
        #[serde(default)]
        tree: String,
    },
    /// A container is being removed; finished.
    Delete {
        /// What it is called.
        name: Name,
    },
    /// A container is being renamed; finished once its folder has moved, else undone.
    Rename {
        /// What it was called.
        from: Name,
        /// What it is to be called.
        to: Name,
    },
    /// A container is being changed; finished as its record says by then.
    Update {
        /// What it is called.
        name: Name,
        /// The limits it had before.
        before: Box<Limits>,
    },
    /// A container is being made what it was; finished.
    Restore {
        /// What it is called.
        name: Name,
        /// The tree that it is to stand on, with nothing written to it.
        tree: String,
    },
    /// A service or task is being made or removed; systemd is told what the records say by then.
    Units {
        /// What it is called.
        name: Name,
    },
    /// A container that runs is held still while it is read; let go.
    Still {
        /// What it is called.
        name: Name,
    },
}

impl Intent {
    /// The name whose lock guards the change.
    fn name(&self) -> &Name {
        match self {
            Self::Create { name, .. }
            | Self::Delete { name }
            | Self::Update { name, .. }
            | Self::Restore { name, .. }
            | Self::Units { name }
            | Self::Still { name } => name,
            Self::Rename { from, .. } => from,
        }
    }
}

/// The most an intent's file may hold, in bytes.
const MAX: usize = 64 << 10;

impl Engine {
    fn intent_path(&self, name: &Name) -> PathBuf {
        self.paths().intents().join(format!("{name}.json"))
    }

    /// Writes an intent down. The name's lock must be held.
    pub(crate) fn intend(&self, intent: &Intent) -> Result<()> {
        let path = self.intent_path(intent.name());
        files::create_dirs(&self.paths().intents(), 0o755)?;
        let write = || files::write_json(&path, intent, 0o644);
        let written = match intent {
            // What frees space is done on a full disk too.
            Intent::Delete { .. } | Intent::Units { .. } => self.reserve().or_give_up(write),
            Intent::Create { .. }
            | Intent::Rename { .. }
            | Intent::Update { .. }
            | Intent::Restore { .. }
            | Intent::Still { .. } => write(),
        };
        Ok(written?)
    }

    /// Strikes the intent of `name` out. The name's lock must be held.
    pub(crate) fn fulfil(&self, name: &Name) -> Result<()> {
        files::remove_file(&self.intent_path(name))?;
        Ok(())
    }

    /// The names that have an intent.
    pub(crate) fn intended_names(&self) -> Vec<Name> {
        let Ok(entries) = std::fs::read_dir(self.paths().intents()) else { return Vec::new() };
        entries.flatten().filter_map(|entry| intended(&entry.file_name())).collect()
    }

    /// The rename under way that `name` is one end of: what it was called, and what it is to be called.
    pub(crate) fn rename_of(&self, name: &Name) -> Option<(Name, Name)> {
        self.intended_names().into_iter().find_map(|intended| {
            match files::read_json(&self.intent_path(&intended), MAX) {
                Ok(Intent::Rename { from, to }) if from == *name || to == *name => Some((from, to)),
                _ => None,
            }
        })
    }

    /// Finishes or undoes what a killed command left of `name`. The name's lock must be held, and of a
    /// rename that of the other name too.
    pub(crate) fn recover(&self, name: &Name) -> Result<()> {
        let path = self.intent_path(name);
        let intent: Intent = match files::read_json(&path, MAX) {
            Ok(intent) => intent,
            Err(e) if e.is_not_found() => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        tracing::warn!(?intent, "finishing or undoing what a killed command left");
        match &intent {
            Intent::Create { name, .. } if self.container_exists(name) => {
                self.finish_create(name)?;
            }
            Intent::Create { name, volumes, .. } => {
                let _locks = self.lock_volumes(volumes)?;
                self.undo_create(name, volumes)?;
            }
            Intent::Delete { name } => self.finish_delete(name)?,
            Intent::Rename { from, to } => self.finish_rename(from, to)?,
            Intent::Update { name, before } => self.finish_update(name, before)?,
            Intent::Restore { name, .. } => {
                let _root = self.lock_root(name)?;
                self.finish_restore_begun(name)?;
            }
            Intent::Units { name } => self.settle_units(name)?,
            Intent::Still { name } => self.let_go(name)?,
        }
        self.fulfil(name)
    }

    /// The containers that are being made, and the trees that they are to stand on. Not knowing is an error.
    pub(crate) fn creations(&self) -> Result<Vec<(Name, String)>> {
        let unread = |e| files::Error::new("read", self.paths().intents(), e);
        let entries = match std::fs::read_dir(self.paths().intents()) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unread)?,
        };
        let mut creations = Vec::new();
        for entry in entries {
            let Some(name) = intended(&entry.map_err(unread)?.file_name()) else { continue };
            match files::read_json(&self.intent_path(&name), MAX) {
                Ok(Intent::Create { name, tree, .. }) if !tree.is_empty() => {
                    creations.push((name, tree));
                }
                Ok(_) => {}
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(creations)
    }

    /// The tree that a restore of this container which broke off was to put it on.
    pub(crate) fn restore_begun(&self, name: &Name) -> Result<Option<String>> {
        match files::read_json(&self.intent_path(name), MAX) {
            Ok(Intent::Restore { tree, .. }) => Ok(Some(tree)),
            Ok(_) => Ok(None),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Strikes an intent out so that it is not there again after a power cut: what comes next must not be undone by it.
    pub(crate) fn fulfil_for_good(&self, name: &Name) -> Result<()> {
        self.fulfil(name)?;
        Ok(files::sync_dir(&self.paths().intents())?)
    }
}

/// The name to which the file of an intent belongs.
fn intended(file: &std::ffi::OsStr) -> Option<Name> {
    file.to_str()?.strip_suffix(".json")?.parse().ok()
}
