//! Storing a folder under a name, and taking names away.

use super::build::BuildOptions;
use super::refs::Manifest;
use super::{Cas, Pointer, RefKind, TreeName, Wanted};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tree::Neutralised;
use std::path::Path;

/// A folder that was stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its manifest.
    pub tree: Digest,
    /// How many entries it has.
    pub entries: u64,
    /// The sizes of its files together, in bytes; what has several names counts once.
    pub size: u64,
    /// Of these, what was not in the store before.
    pub new: u64,
    /// What was left out or changed meanwhile.
    pub notes: Vec<Neutralised>,
}

impl Cas {
    /// Stores what is in a folder and calls it `name`, which may have named another tree. When this returns, all of it is on
    /// disk. `wanted` says what containers stand on.
    pub fn store(
        &self,
        dir: &Path,
        name: &TreeName,
        wanted: Wanted<'_>,
        progress: &dyn Progress,
    ) -> Result<Stored> {
        self.tidy(wanted)?;
        let dir = &dir.canonicalize().map_err(|error| Error::io("read", dir, error))?;
        if !dir.is_dir() {
            return Err(Error::Invalid(format!("{} is no folder", dir.display())));
        }
        let own = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
        if own.starts_with(dir) || dir.starts_with(&own) {
            let why = format!("{} has the store itself in it, or is in it", dir.display());
            return Err(Error::Invalid(why));
        }
        let stored = self.store_under(name, dir, wanted, progress);
        if matches!(stored, Err(Error::Full { .. }))
            && let Err(error) = self.collect(wanted)
        {
            // Elsewhere what was stored in vain makes the next try quicker; a disk that is full has better uses.
            tracing::warn!(%error, "what was stored in vain remains as garbage");
        }
        stored
    }

    fn store_under(
        &self,
        name: &TreeName,
        dir: &Path,
        wanted: Wanted<'_>,
        progress: &dyn Progress,
    ) -> Result<Stored> {
        let lease = self.lease(wanted)?;
        let built = self.build(&lease, dir, &BuildOptions::default(), progress)?;
        progress.step("Writing it to disk");
        lease.sync()?;
        let named = Manifest {
            version: 1,
            name: name.as_str(),
            tree: built.tree.to_string(),
            created: jiff::Timestamp::now(),
            source: dir.to_str(),
            pulled: None,
        };
        self.refs().write(RefKind::Manifests, &name.encoded(), &named)?;
        lease.end()?;
        Ok(Stored {
            tree: built.tree,
            entries: built.entries,
            size: built.size,
            new: built.new,
            notes: built.notes.into_list(),
        })
    }

    /// Takes a name away that a person gave. What nothing else reaches then is garbage.
    pub fn forget(&self, name: &Pointer) -> Result<()> {
        if name.tree.is_some() || !matches!(name.kind, None | Some(RefKind::Manifests)) {
            return Err(Error::Invalid(format!("{name} is not the name of a tree that was built")));
        }
        let found = self
            .refs()
            .all()?
            .into_iter()
            .find(|found| found.kind == RefKind::Manifests && found.name == name.name);
        let stem = found.as_ref().and_then(|found| found.path.file_stem()?.to_str());
        match stem.map(|stem| self.refs().remove(RefKind::Manifests, stem)).transpose()? {
            Some(true) => Ok(()),
            _ => Err(Error::NoTree(name.to_string())),
        }
    }
}
