//! Stellarium: everything stored once, under the hash of its contents.
//!
//! ```text
//! cas/objects/ab/HEX                files and tree manifests by BLAKE3; root's, 0444, never written again
//! cas/refs/{images,manifests,registry,snapshots}/NAME.json
//!                                   names for trees; what no ref, lease or container reaches is garbage
//! cas/tmp/                          drafts of objects, leases
//! cas/index/                        what was in folders when they were last stored, by the times of their files
//! cas/quarantine/                   objects whose contents are not what their name says
//! ```
//!
//! - **Durable.** An object takes its place before it is on disk. A ref is written only when one syncfs has put all
//!   that it reaches there. Whoever stores something holds a lease from before its first object until its ref is
//!   written. A lease of an earlier boot tells that power was cut: what no ref reaches may be half on disk then, and is
//!   removed before anybody builds upon it.
//! - **Garbage.** A lease lists the objects that its holder counts on, each written down before it is found to be there.
//!   Writing down and removing exclude each other by a lock on the object's folder, so nothing depends on clocks.

mod build;
mod gc;
mod index;
mod lease;
mod objects;
mod refs;
#[cfg(test)]
mod tests;

pub(crate) use build::Built;
pub(crate) use gc::{Swept, Wanted};
pub(crate) use lease::Lease;
pub(crate) use objects::{Objects, Put};
pub(crate) use refs::{RefKind, Refs};

use crate::error::Result;
use std::path::{Path, PathBuf};
use volt_host::files;

/// The store below one folder.
#[derive(Debug, Clone)]
pub(crate) struct Cas {
    dir: PathBuf,
}

impl Cas {
    /// The store below `lib_dir` (`var/lib/volt`). Does nothing yet.
    pub(crate) fn open(lib_dir: &Path) -> Self {
        Self { dir: lib_dir.join("cas") }
    }

    /// Its objects.
    pub(crate) fn objects(&self) -> Objects {
        Objects::new(self.dir.join("objects"), self.tmp())
    }

    /// Its refs.
    pub(crate) fn refs(&self) -> Refs {
        Refs::new(self.dir.join("refs"))
    }

    /// Begins to store something: what is put from now on stays until the lease ends. After a power cut, what it may have
    /// left half on disk goes first; `wanted` says what containers stand on.
    pub(crate) fn lease(&self, wanted: Wanted<'_>) -> Result<Lease> {
        files::create_dirs(&self.dir, 0o755)?;
        files::create_dirs(&self.tmp(), 0o700)?;
        files::create_dirs(&self.dir.join("objects"), 0o711)?;
        if lease::is_left_by_power_cut(&self.tmp())? {
            self.collect(wanted)?;
            lease::forget_earlier_boots(&self.tmp())?;
        }
        Lease::take(&self.tmp())
    }

    /// Puts all that was stored on disk. To be called once, before the ref is written.
    pub(crate) fn sync(&self) -> Result<()> {
        let failed = |error| crate::Error::io("sync", &self.dir, error);
        let fd = crate::tree::open_root(&self.dir).map_err(failed)?;
        rustix::fs::syncfs(fd).map_err(failed)
    }

    fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }
}
