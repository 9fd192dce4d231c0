//! From an archive, a folder or debootstrap to a published image.

use super::members::Archive;
use super::unpack::Store;
use super::{Image, ImageConfig, Images, KeptBlob, facts, stream};
use crate::cas::{BuildOptions, Layer, Lease, Pointer, SCHEME, Wanted};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::oci::{self, Blobs, Origin, Platform, Remote};
use crate::progress::Progress;
use crate::tree::{Neutralised, Quota};
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use volt_host::files::{self, LockMode, Stage};
use volt_model::image::ImageRef;
use volt_model::registry;

/// What an import may at most become. All of it is checked before it is written.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The sum of the sizes of its files, in bytes; holes count.
    pub bytes: u64,
    /// Its entries.
    pub entries: u64,
    /// How many bytes may come out of one compressed byte, once a gibibyte has come out.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 30, entries: 5_000_000, ratio: 1000 }
    }
}

impl Limits {
    pub(super) fn quota(&self) -> Quota {
        Quota { bytes: self.bytes, entries: self.entries }
    }
}

/// What to do when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Fail with [`Error::Exists`].
    #[default]
    Refuse,
    /// Give the name to the new image. The old tree stays while containers stand on it.
    Replace,
}

/// How to import.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// What it may at most become.
    pub limits: Limits,
    /// How the image wants to be run.
    pub config: ImageConfig,
    /// What to do when the name is taken.
    pub existing: Existing,
    /// The size of the archive in bytes, where the caller knows it: for progress only.
    pub total: Option<u64>,
}

/// What is pulled.
#[derive(Clone, Copy)]
pub struct Pulled<'a> {
    /// Who has it.
    pub origin: &'a dyn Origin,
    /// For what it is to be, of several.
    pub platform: &'a Platform,
    /// Where what is fetched lies until it is stored; what a pull that broke off has left there is not fetched again.
    pub dir: &'a Path,
    /// Whether its blobs are kept as they are, beside what is in them.
    pub keep: bool,
}

impl std::fmt::Debug for Pulled<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pulled({})", self.platform)
    }
}

/// What an image is to be that is made of a container.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// How it wants to be run.
    pub config: ImageConfig,
    /// What to do when the name is taken.
    pub existing: Existing,
    /// Where it came from, in words.
    pub source: String,
}

/// Who asks for an image to be made.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What containers stand on.
    pub wanted: Wanted<'a>,
    /// Told how far it is; asked whether it is still wanted.
    pub progress: &'a dyn Progress,
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

/// What a new image is to be.
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: ImageRef,
    /// What to do when the name is taken.
    pub(crate) existing: Existing,
    /// How it wants to be run.
    pub(crate) config: ImageConfig,
}

/// A tree that was stored for an image.
pub(crate) struct Made {
    /// How it wants to be run, where what it was made of says so.
    pub(crate) config: Option<ImageConfig>,
    /// For what processor it is, where what it was made of says so.
    pub(crate) architecture: Option<String>,
    /// Its manifest.
    pub(crate) tree: Digest,
    /// What was neutralised.
    pub(crate) notes: Vec<Neutralised>,
    /// Where it came from, in words.
    pub(crate) source: String,
    /// What is kept of what it was made of.
    pub(crate) blobs: Vec<KeptBlob>,
    /// Where that can be had again.
    pub(crate) pulled: Option<registry::Remote>,
}

impl Made {
    /// Made of what says nothing of how it is run.
    fn plain(tree: Digest, notes: Vec<Neutralised>, source: &str) -> Self {
        let (config, architecture, blobs, pulled) = (None, None, Vec::new(), None);
        Self { config, architecture, tree, notes, source: source.to_owned(), blobs, pulled }
    }
}

impl Images {
    /// Imports an archive, plain or compressed with gzip, xz or zstd: of a root file system, of an OCI layout, or as `docker save`
    /// writes it. Which of them it is, is told by the name of its first entry, else when all of it was read.
    ///
    /// One pass in bounded memory: what comes out of the archive is hashed and stored at once. All or nothing: what cannot be
    /// taken as it is, is neutralised and named in the image, or the whole import fails with the entry named. When that happens
    /// early, another thread may still wait for `reader`, and lets go of it then.
    pub fn import_tar(
        &self,
        name: &ImageRef,
        reader: impl Read + Send + 'static,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, total } = options;
        let target = Target { name: name.clone(), existing, config };
        self.make(target, work, |lease| {
            let store = Store { cas: &self.cas, lease, limits, progress: work.progress };
            let (plain, first) = stream::open(Box::new(reader), total, limits)?;
            if !first.is_some_and(|name| oci::begins_image(&name)) {
                let (tree, notes) = store.layers(vec![Archive::Open(plain)], false)?;
                let blobs = Blobs::of_tree(&self.cas.objects(), &self.cas.tree(&tree)?);
                if let Some(blobs) = blobs.filter(oci::is_image) {
                    return store.image(&blobs, &Platform::own(), false);
                }
                return Ok(Made::plain(tree, notes, "tar archive"));
            }
            let stage = Stage::new(&self.stages(), "image")?;
            work.progress.step("Unpacking the archive");
            let blobs = Blobs::unpack(plain.plain, stage.path(), limits, work.progress)?;
            store.image(&blobs, &Platform::own(), false)
        })
    }

    /// Imports a folder on this host: an OCI layout, or a root file system. Of the latter other file systems mounted below it, and Volt's own folder, are left out.
    pub fn import_dir(
        &self,
        name: &ImageRef,
        path: &Path,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, .. } = options;
        let is_dir = fs::metadata(path).map_err(|error| Error::io("read", path, error))?.is_dir();
        if !is_dir {
            return Err(Error::NotAnArchive(format!("{} is no folder", path.display())));
        }
        let target = Target { name: name.clone(), existing, config };
        self.make(target, work, |lease| {
            if Blobs::is_layout(path) {
                let store = Store { cas: &self.cas, lease, limits, progress: work.progress };
                return store.image(&Blobs::Folder(path.to_owned()), &Platform::own(), false);
            }
            let mine = fs::metadata(&self.lib).map_err(|e| Error::io("read", &self.lib, e))?;
            let options = BuildOptions {
                quota: limits.quota(),
                devices: false,
                skip: Some((mine.dev(), mine.ino())),
                remember: true,
                layer: false,
            };
            let built = self.cas.build(lease, path, &options, work.progress)?;
            Ok(Made::plain(built.tree, built.notes.into_list(), "folder"))
        })
    }

    /// Makes an image of a tree that is in the store already. Devices, which no image has, are left out.
    pub fn import_tree(
        &self,
        name: &ImageRef,
        tree: &Pointer,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, .. } = options;
        let target = Target { name: name.clone(), existing, config };
        self.make(target, work, |lease| {
            let found = self.cas.pinned_tree(lease, &self.cas.resolve(tree)?)?;
            if found.contents().map(|(_, content)| content.size).sum::<u64>() > limits.bytes {
                let most = limits.bytes;
                return Err(Error::Invalid(format!("{tree} is larger than {most} bytes")));
            }
            let (nodes, notes) = found.without_devices();
            let stored = self.cas.manifest(lease, &nodes)?;
            Ok(Made::plain(stored, notes.into_list(), &format!("{SCHEME}{tree}")))
        })
    }

    /// Makes an image of what somebody else has.
    pub fn pull(
        &self,
        name: &ImageRef,
        Pulled { origin, platform, dir, keep }: Pulled<'_>,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, .. } = options;
        let target = Target { name: name.clone(), existing, config };
        let blobs = Blobs::Remote(Remote::new(origin, dir)?);
        let made = self.make(target, work, |lease| {
            let store = Store { cas: &self.cas, lease, limits, progress: work.progress };
            store.image(&blobs, platform, keep)
        });
        // What has rotted here since an earlier pull would else be in the way of every later one.
        if let (Blobs::Remote(remote), Ok(_) | Err(Error::Damaged(_))) = (&blobs, &made) {
            remote.forget();
        }
        made
    }

    /// Makes an image of what a container is at this moment. `source` says in words where it came from.
    pub fn commit(
        &self,
        name: &ImageRef,
        layer: &Layer<'_>,
        Commit { config, existing, source }: Commit,
        work: Work<'_>,
    ) -> Result<Image> {
        let target = Target { name: name.clone(), existing, config };
        self.make(target, work, |lease| {
            let read = self.cas.read_layer(Some(lease), layer, work.progress)?;
            let tree = self.cas.manifest(lease, &read.nodes)?;
            Ok(Made::plain(tree, read.notes.into_list(), &source))
        })
    }

    /// Has a folder filled in a stage and publishes what is in it. `fill` says where it came from, in words.
    pub(crate) fn build(
        &self,
        target: Target,
        work: Work<'_>,
        fill: impl FnOnce(&Path) -> Result<String>,
    ) -> Result<Image> {
        self.refuse_taken(&target)?;
        let stage = Stage::new(&self.stages(), "image")?;
        let root = stage.path().join("rootfs");
        fs::create_dir(&root)
            .and_then(|()| fs::set_permissions(&root, Permissions::from_mode(0o755)))
            .map_err(|error| Error::io("create", &root, error))?;
        let source = fill(&root)?;
        self.make(target, work, |lease| {
            let options =
                BuildOptions { devices: false, remember: false, ..BuildOptions::default() };
            let built = self.cas.build(lease, &root, &options, work.progress)?;
            Ok(Made::plain(built.tree, built.notes.into_list(), &source))
        })
    }

    /// Makes a tree under a lease and publishes it under the name.
    pub(crate) fn make(
        &self,
        target: Target,
        work: Work<'_>,
        make: impl FnOnce(&Lease) -> Result<Made>,
    ) -> Result<Image> {
        self.refuse_taken(&target)?;
        let Target { name, existing, config } = target;
        let free = files::free_space(&self.lib).ok().map(|space| space.available);
        let make = || {
            let lease = self.cas.lease(work.wanted)?;
            let made = make(&lease)?;
            work.progress.step("Storing");
            let facts = facts::of(&self.cas, &self.cas.tree(&made.tree)?)?;
            let image = Image {
                version: Image::VERSION,
                name,
                tree: made.tree,
                created: jiff::Timestamp::now(),
                size: facts.size,
                entries: facts.entries,
                architecture: made.architecture.or(facts.architecture),
                os: facts.os,
                source: made.source,
                config: ImageConfig { boot: facts.boot, ..made.config.unwrap_or(config) },
                neutralised: made.notes,
                blobs: made.blobs,
                pulled: made.pulled,
            };
            // While others wait for nothing.
            lease.sync()?;
            if work.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            self.publish(&image, existing)?;
            lease.end()?;
            Ok(image)
        };
        make().map_err(|error: Error| {
            // What was stored until then goes at once. A disk that is full has no better use either.
            if let Err(error) = self.cas.collect(work.wanted) {
                tracing::warn!(%error, "what a failed import had stored remains as garbage");
            }
            error.with_space(&self.lib, None, free)
        })
    }

    pub(super) fn refuse_taken(&self, target: &Target) -> Result<()> {
        if target.existing == Existing::Refuse && self.has(&target.name)? {
            return Err(Error::Exists(target.name.clone()));
        }
        Ok(())
    }

    fn publish(&self, image: &Image, existing: Existing) -> Result<()> {
        let _lock = self.cas.lock_refs(LockMode::Exclusive)?;
        if existing == Existing::Refuse && self.has(&image.name)? {
            return Err(Error::Exists(image.name.clone()));
        }
        self.write_ref(image)
    }
}
