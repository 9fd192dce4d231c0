//! Refs: names for trees, one small file each.

use crate::digest::Digest;
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::path::PathBuf;
use volt_host::files;

/// What kinds of refs there are: a folder each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefKind {
    /// Images.
    Images,
    /// Trees that a person has named.
    Manifests,
    /// Repositories of the registry.
    Registry,
    /// Snapshots of containers.
    Snapshots,
}

impl RefKind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::Images, Self::Manifests, Self::Registry, Self::Snapshots];

    fn folder(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Manifests => "manifests",
            Self::Registry => "registry",
            Self::Snapshots => "snapshots",
        }
    }
}

/// What every ref has, whatever else is in it: the tree that it names.
#[derive(Debug, serde::Deserialize)]
struct Named {
    tree: String,
}

/// The refs of one store.
#[derive(Debug, Clone)]
pub(crate) struct Refs {
    dir: PathBuf,
}

impl Refs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Where a ref lies; `name` is one part of a path.
    pub(crate) fn path(&self, kind: RefKind, name: &str) -> PathBuf {
        self.dir.join(kind.folder()).join(format!("{name}.json"))
    }

    /// Writes a ref, which must have a member `tree`. All that the tree reaches is on disk already.
    pub(crate) fn write(&self, kind: RefKind, name: &str, value: &impl Serialize) -> Result<()> {
        files::create_dirs(&self.dir.join(kind.folder()), 0o755)?;
        Ok(files::write_json(&self.path(kind, name), value, 0o644)?)
    }

    /// Reads a ref.
    pub(crate) fn read<T: DeserializeOwned>(&self, kind: RefKind, name: &str) -> Result<Option<T>> {
        match files::read_json(&self.path(kind, name), 16 << 20) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a ref; false where there is none.
    pub(crate) fn remove(&self, kind: RefKind, name: &str) -> Result<bool> {
        let path = self.path(kind, name);
        match fs::remove_file(&path) {
            Ok(()) => {
                files::sync_dir(&self.dir.join(kind.folder()))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", &path, error)),
        }
    }

    /// The trees that refs name, each with the ref's file. A ref that can't be read is an error: to pass over it would make
    /// garbage of what it names.
    pub(crate) fn trees(&self) -> Result<Vec<(PathBuf, Digest)>> {
        let mut trees = Vec::new();
        for kind in RefKind::ALL {
            for path in crate::images::entries(&self.dir.join(kind.folder()))? {
                if path.extension().is_none_or(|extension| extension != "json") {
                    continue;
                }
                let named: Named = match files::read_json(&path, 16 << 20) {
                    Ok(named) => named,
                    // Removed since the folder was read.
                    Err(error) if error.is_not_found() => continue,
                    Err(error) => return Err(error.into()),
                };
                let tree = named.tree.parse().map_err(|_| Error::Corrupt {
                    path: path.clone(),
                    reason: "it names no tree".into(),
                })?;
                trees.push((path, tree));
            }
        }
        Ok(trees)
    }
}
