//! From an archive, a folder or debootstrap to a published image.

use super::{Image, ImageConfig, Images, TreeId, facts};
use crate::archive::TarReader;
use crate::archive::compress::{self, Consumed, StreamLimits};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::tree::{Entry, EntryPath, Flow, Kind, Notes, Quota, TreeWriter, walk};
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use volt_host::files::{self, Publish, Stage};
use volt_model::image::ImageRef;

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

/// What to do when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Fail with [`Error::Exists`].
    #[default]
    Refuse,
    /// Give the name to the new image. The old tree stays until the next [`Images::sweep`], since containers may
    /// stand on it.
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

/// What a new image is to be.
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: ImageRef,
    /// What to do when the name is taken.
    pub(crate) existing: Existing,
    /// How it wants to be run.
    pub(crate) config: ImageConfig,
}

/// What making a tree gives beside the tree.
pub(crate) struct Made {
    /// What was neutralised.
    pub(crate) notes: Notes,
    /// Where it came from, in words.
    pub(crate) source: String,
}

impl Images {
    /// Imports a root file system from a tar archive, plain or compressed with gzip, xz or zstd.
    ///
    /// One pass in bounded memory. All or nothing: what cannot be taken as it is, is neutralised and named in the
    /// image, or the whole import fails with the entry named.
    pub fn import_tar(
        &self,
        name: &ImageRef,
        reader: impl Read,
        options: ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, total } = options;
        let target = Target { name: name.clone(), existing, config };
        self.build(target, progress, |root| {
            // What headers and padding of the largest permitted archive may take on top.
            let headers = limits.entries.saturating_mul(4096).saturating_add(64 << 20);
            let stream =
                StreamLimits { bytes: limits.bytes.saturating_add(headers), ratio: limits.ratio };
            let (plain, consumed) = compress::decompress(reader, stream)?;
            let writer = self.tree_writer(root, limits)?;
            unpack(plain, writer, (limits, consumed, total), progress)
        })
    }

    /// Imports a folder on this host. Other file systems mounted below it, and Volt's own folder, are left out.
    pub fn import_dir(
        &self,
        name: &ImageRef,
        path: &Path,
        options: ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Image> {
        let ImportOptions { limits, config, existing, .. } = options;
        let is_dir = fs::metadata(path).map_err(|error| Error::io("read", path, error))?.is_dir();
        if !is_dir {
            return Err(Error::NotAnArchive(format!("{} is no folder", path.display())));
        }
        let target = Target { name: name.clone(), existing, config };
        self.build(target, progress, |root| {
            let mine = fs::metadata(&self.lib).map_err(|e| Error::io("read", &self.lib, e))?;
            copy(path, self.tree_writer(root, limits)?, (mine.dev(), mine.ino()), progress)
        })
    }

    fn tree_writer(&self, root: &Path, limits: Limits) -> Result<TreeWriter> {
        let quota = Quota { bytes: limits.bytes, entries: limits.entries };
        TreeWriter::new(root, quota, self.rootless)
    }

    /// Makes a tree in a stage and publishes it under the name.
    pub(crate) fn build(
        &self,
        target: Target,
        progress: &dyn Progress,
        make: impl FnOnce(&Path) -> Result<Made>,
    ) -> Result<Image> {
        let Target { name, existing, config } = target;
        if existing == Existing::Refuse && self.has(&name)? {
            return Err(Error::Exists(name));
        }
        self.prepare()?;
        let free = files::free_space(&self.lib).ok().map(|space| space.available);
        let build = || {
            let stage = Stage::new(&self.tmp_dir(), "image")?;
            let root = stage.path().join("rootfs");
            fs::create_dir(&root)
                .and_then(|()| fs::set_permissions(&root, Permissions::from_mode(0o755)))
                .map_err(|error| Error::io("create", &root, error))?;
            let made = make(&root)?;
            progress.step("Storing");
            let facts = facts::of(&root)?;
            let image = Image {
                name,
                tree: TreeId::fresh(),
                created: jiff::Timestamp::now(),
                size: facts.size,
                entries: facts.entries,
                architecture: facts.architecture,
                os: facts.os,
                source: made.source,
                config: ImageConfig { boot: facts.boot, ..config },
                neutralised: made.notes.into_list(),
            };
            // Here, so that publishing does it with next to nothing left to write, while others wait.
            sync(&root)?;
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            self.publish(stage, &image, existing).map(|()| image)
        };
        build().map_err(|error: Error| error.with_space(&self.lib, None, free))
    }

    fn publish(&self, stage: Stage, image: &Image, existing: Existing) -> Result<()> {
        let _lock = self.lock_exclusive()?;
        if existing == Existing::Refuse && self.has(&image.name)? {
            return Err(Error::Exists(image.name.clone()));
        }
        stage.publish(&self.tree_path(&image.tree), Publish::New)?;
        self.write_ref(image).inspect_err(|_| {
            if let Err(error) = self.take_away(&image.tree) {
                tracing::warn!(%error, "a tree without a name remains; the next sweep removes it");
            }
        })
    }
}

fn sync(root: &Path) -> Result<()> {
    let failed = |error| Error::io("sync", root, error);
    let fd = crate::tree::open_root(root).map_err(failed)?;
    rustix::fs::syncfs(fd).map_err(failed)
}

fn unpack(
    plain: impl Read,
    mut writer: TreeWriter,
    (limits, consumed, total): (Limits, Consumed, Option<u64>),
    progress: &dyn Progress,
) -> Result<Made> {
    progress.step("Unpacking");
    // Extension headers count as well: at most three in front of each entry.
    let mut archive = TarReader::new(plain, limits.entries.saturating_mul(4));
    while let Some(member) = archive.next_member()? {
        for what in member.dropped {
            writer.notes.add(member.entry.path.as_bytes(), what);
        }
        let mut data = Watched { inner: archive.data(), consumed: &consumed, total, progress };
        writer
            .put(&member.entry, &mut data)
            .map_err(|error| full(error, &writer, &member.entry))?;
        if progress.cancelled() {
            return Err(Error::Cancelled);
        }
    }
    progress.bytes(consumed.get(), total);
    Ok(Made { notes: writer.finish()?, source: "tar archive".into() })
}

/// A full disk is told apart from what the kernel says of one entry: at least this much was needed.
fn full(error: Error, writer: &TreeWriter, entry: &Entry) -> Error {
    match (&error, &entry.kind) {
        (Error::Full { path, .. }, Kind::File(_)) => {
            let path = path.clone();
            error.with_space(&path, Some(writer.bytes()), None)
        }
        _ => error,
    }
}

fn copy(
    from: &Path,
    mut writer: TreeWriter,
    skip: (u64, u64),
    progress: &dyn Progress,
) -> Result<Made> {
    progress.step("Copying");
    let mut links: HashMap<(u64, u64), (EntryPath, u64)> = HashMap::new();
    walk(from, &mut |found| {
        if progress.cancelled() {
            return Err(Error::Cancelled);
        }
        let id = (found.stat.st_dev, found.stat.st_ino);
        if id == skip {
            writer.notes.add(found.path.as_bytes(), "Volt's own folder was left out");
            return Ok(Flow::Skip);
        }
        if found.is_mount {
            writer.notes.add(found.path.as_bytes(), "what is mounted there was left out");
        }
        let Some((mut entry, mut data)) = found.read()? else {
            writer
                .notes
                .add(found.path.as_bytes(), "it changed while it was read and was left out");
            return Ok(Flow::Skip);
        };
        let folder = entry.kind == Kind::Directory;
        if !folder && found.stat.st_nlink > 1 {
            match links.get_mut(&id) {
                Some((first, left)) => {
                    entry.kind = Kind::HardLink(first.clone());
                    *left -= 1;
                    if *left == 0 {
                        links.remove(&id);
                    }
                }
                None => {
                    links.insert(id, (entry.path.clone(), found.stat.st_nlink - 1));
                }
            }
        }
        writer.put(&entry, &mut data).map_err(|error| full(error, &writer, &entry))?;
        if data.shrank {
            writer.notes.add(found.path.as_bytes(), "it became shorter while it was read");
        }
        progress.bytes(writer.bytes(), None);
        Ok(Flow::Descend)
    })?;
    Ok(Made { notes: writer.finish()?, source: "folder".into() })
}

/// Tells the progress of the compressed side while data flows, also within one large file.
struct Watched<'a, R> {
    inner: R,
    consumed: &'a Consumed,
    total: Option<u64>,
    progress: &'a dyn Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.progress.bytes(self.consumed.get(), self.total);
        self.inner.read(buffer)
    }
}
