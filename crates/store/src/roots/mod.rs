//! Roots: trees of the store as file systems that containers can stand on, assembled once for each tree.
//!
//! ```text
//! cas/roots/HEX.erofs       an EROFS image of the tree HEX without the contents of its files: an overlay finds these in
//!                           cas/objects (Linux 6.5); nothing is copied
//! cas/roots/HEX/rootfs      the tree as folders and files, hard links to variants: for older kernels
//! cas/variants/ab/HEX       an object with the attributes of a file, for all trees that have such a file: shares its data
//!                           with the object where the file system can, else is a copy
//! cas/roots/tmp/            stages
//! cas/roots/locks/          a lock for each tree under way
//! ```
//!
//! A root has its name only when it is whole and on disk, so whoever finds one can use it, and whoever is killed before leaves
//! a stage for the next to sweep. All of this can be made again from manifests and objects; only [`Roots::sweep`] takes it away.
//!
//! Both forms are read by overlayfs, whose own attributes (`trusted.overlay.*`) a tree therefore has in escaped form; a device
//! 0:0 in a tree means to overlayfs that nothing is there. In the second form a file has more names than in its
//! tree: those that it has as a variant and in other roots.

mod erofs;
mod links;
#[cfg(test)]
mod tests;
mod variants;

use crate::cas::Objects;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Broken, Decoder, Node};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use variants::Variants;
use volt_host::files::{self, Lock, LockError, LockMode, Publish, Stage, Wait};

/// The ending of the names of images.
const IMAGE: &str = "erofs";

/// What a sweep took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptRoots {
    /// How many roots, of either form.
    pub roots: u64,
    /// How many variants of objects.
    pub variants: u64,
}

/// The roots of one store.
#[derive(Debug, Clone)]
pub struct Roots {
    dir: PathBuf,
    variants: Variants,
    objects: Objects,
}

impl Roots {
    /// Those below `cas`, of these objects.
    pub(crate) fn new(cas: &Path, objects: Objects) -> Self {
        let variants = Variants::new(cas.join("variants"));
        Self { dir: cas.join("roots"), variants, objects }
    }

    /// The folder in which an overlay finds the contents of an image's files.
    #[must_use]
    pub fn objects_dir(&self) -> PathBuf {
        self.dir.with_file_name("objects")
    }

    /// Where the image of a tree is, or would be.
    #[must_use]
    pub fn image_path(&self, tree: &Digest) -> PathBuf {
        self.dir.join(format!("{}.{IMAGE}", tree.hex()))
    }

    /// Where the hard links of a tree are, or would be.
    #[must_use]
    pub fn links_path(&self, tree: &Digest) -> PathBuf {
        self.dir.join(tree.hex()).join("rootfs")
    }

    /// The image of a tree, made where it is missing.
    ///
    /// The caller sees to it that the tree is wanted (by a ref, a lease, a container) from before this until it is mounted.
    ///
    /// # Errors
    /// `Corrupt` where the manifest is missing or not what it was; `Refused` with the entry that no image can hold; `Full`.
    pub fn image(&self, tree: &Digest) -> Result<PathBuf> {
        let path = self.image_path(tree);
        self.make(tree, &path, |stage| {
            let draft = stage.path().join("image");
            let failed = |error| Error::io("write", &draft, error);
            let file = File::create_new(&draft).map_err(failed)?;
            let out = BufWriter::with_capacity(256 << 10, file);
            let file = self
                .write_image(tree, out)
                .and_then(|mut out| out.flush().map(|()| out).map_err(Error::Output))
                .map_err(|error| written(error, &draft))?
                .into_inner()
                .map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)?;
            files::set_mode(&draft, 0o444)?;
            fs::rename(&draft, &path).map_err(failed)?;
            Ok(files::sync_dir(&self.dir)?)
        })
    }

    /// The folders and hard links of a tree, made where they are missing. Else as [`Roots::image`].
    ///
    /// # Errors
    /// Also `Corrupt` where an object is missing, or not what its name says when it is copied.
    pub fn links(&self, tree: &Digest) -> Result<PathBuf> {
        let path = self.links_path(tree);
        self.make(tree, &path, |stage| {
            let drafts = Stage::new(&self.stages(), "variants")?;
            let making = self.variants.making(&self.objects, drafts.path());
            let root = stage.path().join("rootfs");
            let made = links::write(&|| self.nodes(tree), &root, making)?;
            stage.publish(&self.dir.join(tree.hex()), Publish::Replace)?;
            // All of it is on disk now, so that a variant that is found in its place was not cut short.
            made.publish(&self.variants)
        })
    }

    /// Whether an image is what its tree makes it; nothing where there is none.
    pub fn check_image(&self, tree: &Digest) -> Result<Option<bool>> {
        let path = self.image_path(tree);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|error| Error::io("read", &path, error))?,
        };
        let mut found = blake3::Hasher::new();
        found.update_reader(file).map_err(|error| Error::io("read", &path, error))?;
        let wanted = self.write_image(tree, blake3::Hasher::new())?;
        Ok(Some(found.finalize() == wanted.finalize()))
    }

    /// The files below a root of hard links whose contents are not those of the tree, by their paths; what is missing is among
    /// them. Nothing where there is no such root.
    pub fn check_links(&self, tree: &Digest) -> Result<Option<Vec<String>>> {
        let root = self.links_path(tree);
        if !root.is_dir() {
            return Ok(None);
        }
        links::check(self.nodes(tree)?, &root).map(Some)
    }

    /// Takes away the roots of trees that nobody keeps, and the variants that are in no root then. A root that is mounted as an
    /// image works on; one of hard links does not, so `keep` has to know what containers stand on.
    pub fn sweep(&self, keep: &dyn Fn(&Digest) -> bool) -> Result<SweptRoots> {
        let mut swept = SweptRoots::default();
        if !self.dir.exists() {
            return Ok(swept);
        }
        files::sweep(&self.stages())?;
        for path in crate::images::entries(&self.dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let hex = name.strip_suffix(&format!(".{IMAGE}")).unwrap_or(&name);
            let Some(tree) = hex.parse().ok().filter(|tree| !keep(tree)) else { continue };
            let lock = match self.lock(&tree, Wait::No) {
                Ok(lock) => lock,
                Err(LockError::Held { .. }) => continue,
                Err(LockError::Io(error)) => return Err(error.into()),
            };
            self.remove(&path)?;
            swept.roots += 1;
            lock.remove()?;
        }
        swept.variants = self.variants.sweep()?;
        Ok(swept)
    }

    /// Out of its place in one step, then away.
    fn remove(&self, path: &Path) -> Result<()> {
        let stage = Stage::new(&self.stages(), "removed")?;
        let to = stage.path().join("root");
        fs::rename(path, to).map_err(|error| Error::io("remove", path, error))
    }

    fn make(
        &self,
        tree: &Digest,
        path: &Path,
        make: impl FnOnce(Stage) -> Result<()>,
    ) -> Result<PathBuf> {
        let is_there = || path.try_exists().map_err(|error| Error::io("look at", path, error));
        if is_there()? {
            return Ok(path.to_owned());
        }
        let lock = self.lock(tree, Wait::Forever).map_err(|error| match error {
            LockError::Io(error) => error.into(),
            held @ LockError::Held { .. } => Error::io("lock", path, io::Error::other(held)),
        })?;
        // Whoever had the lock before may have made it.
        if !is_there()? {
            self.check_manifest(tree)?;
            files::sweep(&self.stages())?;
            make(Stage::new(&self.stages(), "root")?)?;
        }
        lock.remove()?;
        Ok(path.to_owned())
    }

    fn lock(&self, tree: &Digest, wait: Wait) -> std::result::Result<Lock, LockError> {
        let locks = self.dir.join("locks");
        files::create_dirs(&self.dir, 0o700).map_err(LockError::Io)?;
        files::create_dirs(&locks, 0o700).map_err(LockError::Io)?;
        Lock::take(&locks.join(tree.hex()), LockMode::Exclusive, wait)
    }

    fn stages(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn write_image<W: Write>(&self, tree: &Digest, out: W) -> Result<W> {
        erofs::write(tree, &|| self.nodes(tree), out)
    }

    fn check_manifest(&self, tree: &Digest) -> Result<()> {
        let corrupt =
            |reason: &str| Error::Corrupt { path: self.objects.path(tree), reason: reason.into() };
        match self.objects.check(tree)? {
            Some(true) => Ok(()),
            Some(false) => Err(corrupt("its contents are not what its name says")),
            None => Err(corrupt("the object is missing")),
        }
    }

    fn nodes(&self, tree: &Digest) -> Result<Manifest> {
        let path = self.objects.path(tree);
        let input = BufReader::with_capacity(64 << 10, self.objects.open(tree)?);
        match Decoder::new(input) {
            Ok(decoder) => Ok(Manifest { decoder, path }),
            Err(error) => Err(no_tree(&path, &error)),
        }
    }
}

/// The entries of a tree in the store.
struct Manifest {
    decoder: Decoder<BufReader<File>>,
    path: PathBuf,
}

impl erofs::Nodes for Manifest {
    fn next(&mut self) -> Result<Option<Node>> {
        let node = self.decoder.next().map_err(|error| no_tree(&self.path, &error))?;
        if let Some(node) = &node
            && (node.meta.uid == u32::MAX || node.meta.gid == u32::MAX)
        {
            return Err(Error::refused(node.path.as_bytes(), "its owner is nobody's id"));
        }
        Ok(node)
    }
}

fn no_tree(path: &Path, error: &Broken) -> Error {
    Error::Corrupt { path: path.to_owned(), reason: format!("it is no tree: {error}") }
}

/// An error of writing, with the file that it is about.
fn written(error: Error, path: &Path) -> Error {
    match error {
        Error::Output(error) => Error::io("write", path, error),
        other => other,
    }
}

/// The name that an extended attribute has where overlayfs must not take it for its own: it shows it under its name again
/// (Linux 6.7; older kernels hide it).
fn escaped(name: &[u8]) -> Cow<'_, [u8]> {
    match name.strip_prefix(b"trusted.overlay.") {
        Some(rest) => Cow::Owned([b"trusted.overlay.overlay.", rest].concat()),
        None => Cow::Borrowed(name),
    }
}
