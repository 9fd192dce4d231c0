//! Images by name: which there are, what is known of them, and where their trees lie.
//!
//! ```text
//! images/lock                      shared: no tree vanishes; exclusive: names and trees change
//! images/refs/ENCODED.json         a name, its tree and all that is known of it; readable by everyone
//! images/trees/ID/rootfs/          the tree; root's own and never written again once it is here
//! tmp/image-*, tmp/trash-*         stages: what is being made, what is being removed
//! ```
//!
//! - **Publishing.** The tree is made in a stage; one syncfs; the stage is renamed to `trees/ID`; the ref is written
//!   (temporary file, fsync, rename). A crash between the last two leaves a tree without a name: garbage.
//! - **Removal** goes the other way: the ref, then the tree is renamed into a stage, then the stage is emptied.
//! - A tree lives as long as a ref or a container ([`Users`]) stands on it. A container pins its tree by writing its
//!   own config while it holds [`Images::hold`].
//! - `trees` is open to root alone: set-uid programs in an image must not be within reach of the host's users. An
//!   overlay's lower layer is found by whoever mounts it, so this does not hinder containers.

mod check;
mod export;
mod facts;
mod import;
mod lock;
mod record;
#[cfg(test)]
mod tests;

pub use check::Problem;
pub use export::{ExportOptions, Exported};
pub use import::{Existing, ImportOptions, Limits};
pub(crate) use import::{Made, Target};
pub use lock::Hold;
pub use record::{Image, ImageConfig, TreeId};

use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};
use volt_host::files::{self, Stage};
use volt_model::image::ImageRef;

/// Who stands on a tree: the names of containers, in words for people.
///
/// Asked while the store's lock is held: it must not call the store.
pub type Users<'a> = &'a dyn Fn(&TreeId) -> Vec<String>;

/// The longest file name of a ref; longer ones end in a hash.
const REF_NAME_LIMIT: usize = 200;

/// The images of one host or user.
#[derive(Debug, Clone)]
pub struct Images {
    lib: PathBuf,
    rootless: bool,
}

impl Images {
    /// The images below `lib_dir` (`var/lib/volt`). Does nothing yet; folders are made when something is stored.
    ///
    /// Rootless: everything in a tree belongs to the caller, whatever its archive says.
    #[must_use]
    pub fn open(lib_dir: &Path, rootless: bool) -> Self {
        Self { lib: lib_dir.to_owned(), rootless }
    }

    /// Whether everything belongs to the caller.
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
        match record::read(&self.ref_path(name))? {
            Some(image) if image.name == *name => Ok(image),
            _ => Err(Error::NotFound(name.clone())),
        }
    }

    /// The tree of an image by name, to be read only: an overlay's lower layer.
    pub fn root(&self, name: &ImageRef) -> Result<PathBuf> {
        Ok(self.tree_root(&self.inspect(name)?.tree))
    }

    /// The tree with this id, whether or not a name leads to it.
    #[must_use]
    pub fn tree_root(&self, tree: &TreeId) -> PathBuf {
        self.tree_path(tree).join("rootfs")
    }

    /// Gives an image another name; nothing is copied. Deleting one of the names keeps the other.
    pub fn tag(&self, from: &ImageRef, to: &ImageRef, existing: Existing) -> Result<Image> {
        let _lock = self.lock_exclusive()?;
        let mut image = self.inspect(from)?;
        if existing == Existing::Refuse && self.has(to)? {
            return Err(Error::Exists(to.clone()));
        }
        image.name = to.clone();
        self.write_ref(&image)?;
        Ok(image)
    }

    /// Removes a name, and the tree when it was the last name. Refuses when containers stand on that tree.
    pub fn delete(&self, name: &ImageRef, users: Users<'_>) -> Result<()> {
        let lock = self.lock_exclusive()?;
        let image = self.inspect(name)?;
        let last = self.list()?.iter().filter(|other| other.tree == image.tree).count() == 1;
        let in_use = |users| Err(Error::InUse { name: name.clone(), users });
        if last {
            let users = users(&image.tree);
            if !users.is_empty() {
                return in_use(users);
            }
            if lock::is_read(&self.tree_path(&image.tree))? {
                return in_use(vec!["an export under way".into()]);
            }
        }
        let path = self.ref_path(name);
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
        files::sync_dir(&self.refs_dir()).map_err(Error::from)?;
        let trash = if last { self.take_away(&image.tree)? } else { None };
        drop(lock);
        // Emptying it takes a while and nobody need wait for it.
        drop(trash);
        Ok(())
    }

    fn images_dir(&self) -> PathBuf {
        self.lib.join("images")
    }

    fn refs_dir(&self) -> PathBuf {
        self.images_dir().join("refs")
    }

    fn trees_dir(&self) -> PathBuf {
        self.images_dir().join("trees")
    }

    fn tmp_dir(&self) -> PathBuf {
        self.lib.join("tmp")
    }

    fn tree_path(&self, tree: &TreeId) -> PathBuf {
        self.trees_dir().join(tree.as_str())
    }

    fn ref_path(&self, name: &ImageRef) -> PathBuf {
        let mut file = name.encoded();
        if file.len() > REF_NAME_LIMIT {
            let hash = blake3::hash(file.as_bytes()).to_hex();
            // Percent-encoding left ASCII only, so any cut is between characters.
            file.truncate(REF_NAME_LIMIT - 33);
            file = format!("{file}.{}", &hash[..32]);
        }
        self.refs_dir().join(format!("{file}.json"))
    }

    /// Makes the folders that changing something needs.
    fn prepare(&self) -> Result<()> {
        files::create_dirs(&self.refs_dir(), 0o755)?;
        files::create_dirs(&self.trees_dir(), 0o700)?;
        Ok(())
    }

    fn has(&self, name: &ImageRef) -> Result<bool> {
        match self.inspect(name) {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write_ref(&self, image: &Image) -> Result<()> {
        Ok(files::write_json(&self.ref_path(&image.name), image, 0o644)?)
    }

    /// Every ref file with what is in it.
    fn records(&self) -> Result<Vec<(PathBuf, Result<Image>)>> {
        let mut records = Vec::new();
        for path in entries(&self.refs_dir())? {
            if path.extension().is_some_and(|extension| extension == "json") {
                // Nothing there any more: deleted since the folder was read.
                if let Some(read) = record::read(&path).transpose() {
                    records.push((path, read));
                }
            }
        }
        Ok(records)
    }

    /// Moves a tree out of sight, into a stage that removes it when dropped.
    fn take_away(&self, tree: &TreeId) -> Result<Option<Stage>> {
        let path = self.tree_path(tree);
        let stage = Stage::new(&self.tmp_dir(), "trash")?;
        match fs::rename(&path, stage.path().join("tree")) {
            Ok(()) => Ok(Some(stage)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("remove", &path, error)),
        }
    }
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
