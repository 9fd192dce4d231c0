//! Stellarium: everything stored once, under the hash of its contents.
//!
//! ```text
//! cas/objects/ab/HEX                files and tree manifests by BLAKE3; root's, never written again; only root enters
//! cas/refs/{images,manifests,registry,snapshots}/NAME.json
//!                                   names for trees; what no ref, lease or container reaches is garbage
//! cas/refs/lock                     shared: names of images stay; exclusive: they change
//! cas/tmp/                          drafts of objects, leases
//! cas/index/                        what was in folders when they were last stored, by the times of their files
//! cas/roots/, cas/variants/         what is assembled from trees; see `roots`
//! cas/quarantine/                   objects whose contents are not what their name says, and refs that can't be read
//! ```
//!
//! - **Durable.** An object takes its place before it is on disk. A ref is written only when one syncfs has put all
//!   that it reaches there. Whoever stores something holds a lease from before its first object until its ref is
//!   written. A lease of an earlier boot tells that power was cut, and one of a sync that failed that the disk has not
//!   taken all: what no ref reaches may be half there then, and is removed before anybody builds upon it.
//! - **Garbage.** A lease lists the objects that its holder counts on, each written down before it is found to be there.
//!   Writing down and removing exclude each other by a lock on the object's folder, so nothing depends on clocks.
//!
//! `build`, `store`: from a folder to a tree and its ref; `layer`, `snapshot`: from a container's writable layer;
//! `tree`, `look`, `diff`, `content`, `export`: from there to people;
//! `verify`, `fetch`: whether all is what and where it should be; `gc`, `tidy`: what may go.

mod build;
mod content;
mod diff;
mod export;
mod fetch;
mod gc;
mod index;
mod layer;
mod lease;
mod look;
mod marks;
mod name;
mod objects;
mod refs;
mod snapshot;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod tidy;
mod tree;
mod verify;

pub(crate) use build::BuildOptions;
pub use diff::{Change, Difference};
pub use gc::{Swept, Wanted};
pub use layer::{Keeper, Layer, Unkept};
pub(crate) use lease::{Lease, Reading};
pub use look::{Dedup, NamedTree, Shared, Status, TreeEntry};
pub(crate) use marks::Marks;
pub use name::{NoTreeName, Pointer, TreeName};
pub(crate) use name::{SCHEME, shown, unescape};
pub(crate) use objects::{Objects, Put};
pub(crate) use refs::{Manifest, RefKind, Refs, read_record};
pub use snapshot::{NewSnapshot, Snapshot};
pub use store::Stored;
pub(crate) use tree::Tree;
pub use verify::{Copies, Damage, KnownGood, Standing, Stands, Touch, Verified};

use crate::error::{Error, Result};
use crate::roots::Roots;
use std::path::{Path, PathBuf};
use volt_host::files::{self, Lock, LockMode, Wait};

/// The store below one folder.
#[derive(Debug, Clone)]
pub struct Cas {
    dir: PathBuf,
}

impl Cas {
    /// The store below `lib_dir` (`var/lib/volt`). Does nothing yet.
    #[must_use]
    pub fn open(lib_dir: &Path) -> Self {
        Self { dir: lib_dir.join("cas") }
    }

    /// Its objects.
    pub(crate) fn objects(&self) -> Objects {
        Objects::new(self.dir.join("objects"), self.tmp(), self.marks())
    }

    /// Which roots are known to be good.
    pub(crate) fn marks(&self) -> Marks {
        Marks::new(self.index_dir())
    }

    /// Its refs.
    pub(crate) fn refs(&self) -> Refs {
        Refs::new(self.dir.join("refs"))
    }

    /// The roots that are assembled from it.
    #[must_use]
    pub fn roots(&self) -> Roots {
        Roots::new(self, &self.dir)
    }

    /// Keeps names of images as they are, or has them changed by nobody else. Taken behind no lock of the store.
    pub(crate) fn lock_refs(&self, mode: LockMode) -> Result<Lock> {
        files::create_dirs(&self.dir, 0o755)?;
        files::create_dirs(self.refs().dir(), 0o755)?;
        let path = self.refs().dir().join("lock");
        Ok(Lock::take(&path, mode, Wait::Forever)?)
    }

    /// Begins to store something: what is put from now on stays until the lease ends. After a power cut, what it may have
    /// left half on disk goes first; `wanted` says what containers stand on.
    pub(crate) fn lease(&self, wanted: Wanted<'_>) -> Result<Lease> {
        self.make_folders()?;
        self.forget_power_cut(wanted)?;
        Lease::take(&self.tmp())
    }

    /// The same for whoever counts only on what refs reach, or on what was verified just now: nothing goes first.
    fn lease_on_good(&self) -> Result<Lease> {
        self.make_folders()?;
        Lease::take(&self.tmp())
    }

    /// Begins to read: what is pinned stays until the lease is dropped.
    pub(crate) fn lease_to_read(&self) -> Result<Reading> {
        self.lease_on_good().map(Reading::under)
    }

    fn make_folders(&self) -> Result<()> {
        files::create_dirs(&self.dir, 0o755)?;
        files::create_dirs(&self.tmp(), 0o700)?;
        // What puts all on disk that a ref reaches puts the way to the ref there too.
        for folder in self.refs().folders() {
            files::create_dirs(&folder, 0o755)?;
        }
        self.objects().make_folders()
    }

    fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn index_dir(&self) -> PathBuf {
        self.dir.join("index")
    }

    fn quarantine(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    /// Moves a ref to quarantine that can't be read.
    pub fn move_ref_away(&self, path: &Path) -> Result<()> {
        let _names = self.lock_refs(LockMode::Exclusive)?;
        self.quarantine_ref(path)
    }

    /// Moves a ref away that can't be read: somebody may still learn from it what it named.
    pub(crate) fn quarantine_ref(&self, path: &Path) -> Result<()> {
        files::create_dirs(&self.quarantine(), 0o700)?;
        let to = self.quarantine().join(path.file_name().unwrap_or_default());
        std::fs::rename(path, to).map_err(|error| Error::io("move", path, error))
    }
}
