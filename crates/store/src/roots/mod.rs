//! Roots: trees of the store as file systems that containers can stand on, assembled once for each tree.
//!
//! ```text
//! cas/roots/HEX.erofs       an EROFS image of the tree HEX without the contents of its files: an overlay finds these in
//!                           cas/objects (Linux 6.5); nothing is copied
//! cas/roots/HEX/rootfs      the tree as folders and files, hard links to objects and variants: for older kernels
//! cas/variants/ab/HEX       an object with other attributes than it has itself, for all trees that have such a file: shares its
//!                           data with the object where the file system can, else is a copy
//! cas/roots/tmp/            stages
//! cas/roots/locks/HEX       shared: the root is being mounted; exclusive: it is made, checked or taken away
//! cas/index/checked-BOOT/   which roots were read whole since the host was booted, and found good
//! ```
//!
//! A root has its name only when it is whole and on disk, so whoever finds one can use it, and whoever is killed before leaves
//! a stage for the next to sweep. All of this can be made again from manifests and objects; only [`Roots::sweep`] takes it away.
//!
//! **First use after a boot.** All that a root has is read and hashed before its first use, and before its first use after a
//! boot: what is damaged is an error that names it, and never reaches a container. Afterwards it is believed until the next
//! boot or until [`Cas::verify`] finds a damage.
//!
//! Both forms are read by overlayfs, whose own attributes (`trusted.overlay.*`) a tree therefore has in escaped form; a device
//! 0:0 in a tree means to overlayfs that nothing is there. In the second form a file has more names than in its
//! tree: those that it has as an object, as a variant and in other roots; but not those below `etc`, since some programs refuse
//! a configuration that has another name.

mod check;
mod erofs;
mod links;
#[cfg(test)]
pub(crate) mod tests;
mod variants;

use crate::cas::{Cas, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Broken, Decoder, Node, NodeKind};
pub(crate) use check::BadRoot;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use variants::Variants;
use volt_host::files::{self, Lock, LockError, LockMode, Publish, Stage, Wait};
use volt_host::mounts::{Layer, probe_images};

/// The ending of the names of images.
const IMAGE: &str = "erofs";

/// What a root is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An EROFS image over the objects.
    Image,
    /// Folders and hard links.
    Links,
}

/// A root that is whole and good. While it is held nobody takes it away.
#[derive(Debug)]
pub struct Root {
    form: Form,
    path: PathBuf,
    objects: PathBuf,
    _lock: Lock,
}

impl Root {
    /// As the lower layer of an overlay.
    #[must_use]
    pub fn layer(&self) -> Layer<'_> {
        match self.form {
            Form::Image => Layer::Image { image: &self.path, objects: &self.objects },
            Form::Links => Layer::Folder(&self.path),
        }
    }
}

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
    cas: Cas,
    dir: PathBuf,
    variants: Variants,
    objects: Objects,
}

impl Roots {
    /// Those of a store whose folder is `dir`.
    pub(crate) fn new(cas: &Cas, dir: &Path) -> Self {
        let variants = Variants::new(dir.join("variants"));
        Self { cas: cas.clone(), dir: dir.join("roots"), variants, objects: cas.objects() }
    }

    /// The root of a tree, made where it is missing, read where that was not done since the boot.
    ///
    /// The caller sees to it that the tree is wanted (by a ref, a lease, a container) from before this until it is mounted, and
    /// mounts it while it holds what this returns.
    ///
    /// # Errors
    /// `BadObject` with the first that is missing or not what its name says, `Corrupt` where that is the manifest; `Refused`
    /// with the entry that this form can't hold; `Full`.
    pub fn assemble(&self, tree: &Digest, form: Form) -> Result<Root> {
        let path = match form {
            Form::Image => self.image_path(tree),
            Form::Links => self.links_path(tree),
        };
        loop {
            let lock = self.lock(tree, LockMode::Shared, Wait::Forever)?;
            if self.is_checked(tree, form)? && path.exists() {
                return Ok(Root { form, path, objects: self.objects_dir(), _lock: lock });
            }
            drop(lock);
            let _alone = self.lock(tree, LockMode::Exclusive, Wait::Forever)?;
            if !self.is_checked(tree, form)? || !path.exists() {
                self.check_manifest(tree)?;
                files::sweep(&self.stages())?;
                match form {
                    Form::Image => self.good_image(tree)?,
                    Form::Links => self.good_links(tree)?,
                }
                self.set_checked(tree, form)?;
            }
        }
    }

    /// Tries whether this host can use [`Form::Image`]. The error says why it can't.
    pub fn probe(&self) -> Result<()> {
        files::create_dirs(&self.dir, 0o700)?;
        probe_images(&self.dir).map_err(|error| Error::Unsupported {
            what: "a root of an image".into(),
            reason: format!("{error}: {}", error.source),
        })
    }

    /// Copies a tree to `to`, which is empty or not there yet, and reads every object that it copies. Not as root, all of it is the
    /// caller's, who can write all of it.
    ///
    /// # Errors
    /// As [`Roots::assemble`].
    pub fn copy(&self, tree: &Digest, to: &Path) -> Result<()> {
        self.check_manifest(tree)?;
        let making = self.variants.copying(&self.objects);
        links::write(&|| self.nodes(tree), to, making).map(drop)
    }

    /// Copies what a tree has in a folder, with the attributes of that, to `to`, which is empty; nothing where it has no such folder.
    /// Whether there was something in it.
    ///
    /// # Errors
    /// As [`Roots::assemble`].
    pub fn copy_below(&self, tree: &Digest, path: &str, to: &Path) -> Result<bool> {
        self.check_manifest(tree)?;
        let tree = self.cas.tree(tree)?;
        let nodes = match tree.find(path, true) {
            Ok(folder) if folder.kind == NodeKind::Directory => tree.part(folder),
            Ok(_) | Err(Error::NoEntry(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let making = self.variants.copying(&self.objects);
        links::write(&|| Ok(nodes.clone().into_iter()), to, making)?;
        // The folder itself is one of them.
        Ok(nodes.len() > 1)
    }

    /// Takes away the roots of trees that are not among those that `wanted` tells, and the variants that are in no root then.
    /// `wanted` is asked again before something goes, so that what has come to be wanted meanwhile stays.
    pub fn sweep(&self, wanted: &dyn Fn() -> Result<HashSet<Digest>>) -> Result<SweptRoots> {
        let mut swept = SweptRoots::default();
        if !self.dir.exists() {
            return Ok(swept);
        }
        files::sweep(&self.stages())?;
        let known = wanted()?;
        for path in crate::images::entries(&self.dir)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let hex = name.strip_suffix(&format!(".{IMAGE}")).unwrap_or(&name);
            let Some(tree) = hex.parse().ok().filter(|tree| !known.contains(tree)) else {
                continue;
            };
            let lock = match self.lock(&tree, LockMode::Exclusive, Wait::No) {
                Ok(lock) => lock,
                Err(LockError::Held { .. }) => continue,
                Err(LockError::Io(error)) => return Err(error.into()),
            };
            if !wanted()?.contains(&tree) {
                swept.roots += u64::from(self.remove(&path)?);
            }
            lock.remove()?;
        }
        swept.variants = self.variants.sweep()?;
        Ok(swept)
    }

    /// The folder in which an overlay finds the contents of an image's files.
    fn objects_dir(&self) -> PathBuf {
        self.dir.with_file_name("objects")
    }

    /// Where the image of a tree is, or would be.
    fn image_path(&self, tree: &Digest) -> PathBuf {
        self.dir.join(format!("{}.{IMAGE}", tree.hex()))
    }

    /// Where the hard links of a tree are, or would be.
    fn links_path(&self, tree: &Digest) -> PathBuf {
        self.dir.join(tree.hex()).join("rootfs")
    }

    /// Makes the image of a tree. The lock is held alone.
    fn make_image(&self, tree: &Digest) -> Result<()> {
        let path = self.image_path(tree);
        let stage = Stage::new(&self.stages(), "root")?;
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
        files::set_mode(&draft, 0o400)?;
        fs::rename(&draft, &path).map_err(failed)?;
        Ok(files::sync_dir(&self.dir)?)
    }

    /// Makes the folders and hard links of a tree. The lock is held alone.
    fn make_links(&self, tree: &Digest) -> Result<()> {
        let stage = Stage::new(&self.stages(), "root")?;
        let drafts = Stage::new(&self.stages(), "variants")?;
        let making = self.variants.making(&self.objects, drafts.path());
        let made = links::write(&|| self.nodes(tree), &stage.path().join("rootfs"), making)?;
        stage.publish(&self.dir.join(tree.hex()), Publish::Replace)?;
        // All of it is on disk now, so that a variant that is found in its place was not cut short.
        made.publish(&self.variants)
    }

    /// Out of its place in one step, then away. False where another was first.
    fn remove(&self, path: &Path) -> Result<bool> {
        let stage = Stage::new(&self.stages(), "removed")?;
        let to = stage.path().join("root");
        match fs::rename(path, to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            moved => moved.map(|()| true).map_err(|error| Error::io("remove", path, error)),
        }
    }

    fn lock(
        &self,
        tree: &Digest,
        mode: LockMode,
        wait: Wait,
    ) -> std::result::Result<Lock, LockError> {
        let locks = self.dir.join("locks");
        let path = locks.join(tree.hex());
        match Lock::take(&path, mode, wait) {
            Err(LockError::Io(error)) if error.is_not_found() => {
                files::create_dirs(&self.dir, 0o700).map_err(LockError::Io)?;
                files::create_dirs(&locks, 0o700).map_err(LockError::Io)?;
                Lock::take(&path, mode, wait)
            }
            taken => taken,
        }
    }

    fn stages(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    fn write_image<W: Write>(&self, tree: &Digest, out: W) -> Result<W> {
        erofs::write(tree, &|| self.nodes(tree), out)
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

impl erofs::Nodes for std::vec::IntoIter<Node> {
    fn next(&mut self) -> Result<Option<Node>> {
        Ok(Iterator::next(self))
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
