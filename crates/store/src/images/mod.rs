//! Images by name: trees of the store that are known as images, and how each is run.
//!
//! ```text
//! cas/refs/images/ENCODED.json     a name, its tree and all that is known of it; readable by everyone
//! cas/refs/lock                    shared: no name changes; exclusive: names change
//! tmp/image-*                      stages: what debootstrap is making
//! ```
//!
//! - **Publishing.** The tree is stored under a lease; one syncfs; the ref is written (temporary file, fsync, rename); the lease
//!   ends. A crash before the ref leaves objects that nothing reaches: garbage.
//! - A tree lives as long as a ref or a container ([`Users`]) stands on it. A container pins its tree by writing down what it
//!   intends, and then its own config, the first while it holds [`Images::hold`]: a collection reads the refs first and those then,
//!   under the same lock.

mod build;
mod check;
mod export;
mod facts;
mod import;
mod meant;
mod members;
mod mend;
mod push;
mod record;
mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod unpack;

pub use build::{Containerfile, Folder, Recipe, Steps};
pub use check::Problem;
pub use export::{ExportFormat, ExportOptions, Exported};
pub use import::{Commit, Existing, ImportOptions, Limits, Pulled, Work};
pub(crate) use import::{Made, Target};
pub use meant::{FoundImage, Meant, NothingMeant};
pub use mend::{Ask, AskTree, Menders};
pub use push::{ReadyBlob, ReadyImage, Source};
pub use record::{Image, ImageConfig, KeptBlob};

use crate::cas::{Cas, RefKind, read_record};
use crate::digest::Digest;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use volt_host::files::{Lock, LockMode};
use volt_model::image::ImageRef;

/// Who stands on a tree: the names of containers, in words for people.
///
/// Asked while names are locked: it must not call what locks them.
pub type Users<'a> = &'a dyn Fn(&Digest) -> Vec<String>;

/// The longest file name of a ref; longer ones end in a hash.
const REF_NAME_LIMIT: usize = 200;

/// While it lives, no name changes. Held briefly: from looking up an image to having written down that it is used.
///
/// Whoever holds it must not import, tag or delete: those wait for it.
#[derive(Debug)]
#[must_use = "names are safe only while this is held"]
pub struct Hold {
    _lock: Lock,
}

/// The images of one host or user.
#[derive(Debug, Clone)]
pub struct Images {
    lib: PathBuf,
    cas: Cas,
    rootless: bool,
}

impl Images {
    /// The images below `lib_dir` (`var/lib/volt`). Does nothing yet; folders are made when something is stored.
    ///
    /// Rootless: what needs root to be made is refused.
    #[must_use]
    pub fn open(lib_dir: &Path, rootless: bool) -> Self {
        Self { lib: lib_dir.to_owned(), cas: Cas::open(lib_dir), rootless }
    }

    /// The store that has their trees.
    #[must_use]
    pub fn cas(&self) -> &Cas {
        &self.cas
    }

    /// Whether it is another's than root's.
    pub(crate) fn is_rootless(&self) -> bool {
        self.rootless
    }

    /// All images, sorted by name. A ref that cannot be read is left to [`Images::check`].
    pub fn list(&self) -> Result<Vec<Image>> {
        let mut images: Vec<Image> =
            self.records()?.into_iter().filter_map(|(_, image)| image.ok()).collect();
        images.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(images)
    }

    /// What is known of an image.
    pub fn inspect(&self, name: &ImageRef) -> Result<Image> {
        match read_record::<Image>(&self.ref_path(name))? {
            Some(image) if image.name == *name => Ok(image),
            _ => Err(Error::NotFound(name.clone())),
        }
    }

    /// Keeps all names as they are. A container is created under it: look up the image, write down what names the tree,
    /// let go.
    pub fn hold(&self) -> Result<Hold> {
        self.cas.lock_refs(LockMode::Shared).map(|lock| Hold { _lock: lock })
    }

    /// Gives an image another name; nothing is copied. Deleting one of the names keeps the other.
    pub fn tag(&self, from: &ImageRef, to: &ImageRef, existing: Existing) -> Result<Image> {
        let _lock = self.cas.lock_refs(LockMode::Exclusive)?;
        let mut image = self.inspect(from)?;
        if existing == Existing::Refuse && self.has(to)? {
            return Err(Error::Exists(to.clone()));
        }
        image.name = to.clone();
        self.write_ref(&image)?;
        Ok(image)
    }

    /// Removes a name. Refuses the last one of a tree that containers stand on. What nothing reaches then is garbage.
    pub fn delete(&self, name: &ImageRef, users: Users<'_>) -> Result<()> {
        let _lock = self.cas.lock_refs(LockMode::Exclusive)?;
        let image = match self.inspect(name) {
            // Nobody can know what it named; the finding is mended the same way.
            Err(Error::Corrupt { path, .. }) => return self.cas.quarantine_ref(&path),
            read => read?,
        };
        let last = self.list()?.iter().filter(|other| other.tree == image.tree).count() == 1;
        let users = if last { users(&image.tree) } else { Vec::new() };
        if !users.is_empty() {
            return Err(Error::InUse { name: name.clone(), users });
        }
        self.cas.refs().remove(RefKind::Images, &encoded(name)).map(drop)
    }

    /// Keeps no blobs of images any more. What they took is garbage then.
    pub fn forget_blobs(&self) -> Result<()> {
        let _lock = self.cas.lock_refs(LockMode::Exclusive)?;
        for mut image in self.list()?.into_iter().filter(|image| !image.blobs.is_empty()) {
            image.blobs.clear();
            self.write_ref(&image)?;
        }
        Ok(())
    }

    fn ref_path(&self, name: &ImageRef) -> PathBuf {
        self.cas.refs().path(RefKind::Images, &encoded(name))
    }

    fn has(&self, name: &ImageRef) -> Result<bool> {
        match self.inspect(name) {
            Ok(_) => Ok(true),
            // One that can't be read is no image any more, and gives way.
            Err(Error::NotFound(_) | Error::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write_ref(&self, image: &Image) -> Result<()> {
        self.cas.refs().write(RefKind::Images, &encoded(&image.name), image)
    }

    /// Every ref file with what is in it.
    fn records(&self) -> Result<Vec<(PathBuf, Result<Image>)>> {
        let mut records = Vec::new();
        for path in entries(&self.cas.refs().folder(RefKind::Images))? {
            if path.extension().is_some_and(|extension| extension == "json") {
                // Nothing there any more: deleted since the folder was read.
                if let Some(read) = read_record(&path).transpose() {
                    records.push((path, read));
                }
            }
        }
        Ok(records)
    }

    fn stages(&self) -> PathBuf {
        self.lib.join("tmp")
    }
}

/// A name as one part of a path.
fn encoded(name: &ImageRef) -> String {
    let mut file = name.encoded();
    if file.len() > REF_NAME_LIMIT {
        let hash = blake3::hash(file.as_bytes()).to_hex();
        // Percent-encoding left ASCII only, so any cut is between characters.
        file.truncate(REF_NAME_LIMIT - 33);
        file = format!("{file}.{}", &hash[..32]);
    }
    file
}

/// The paths in a folder, sorted; none where the folder is missing.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(dir)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    match read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| Error::io("read", dir, error)),
    }
}
