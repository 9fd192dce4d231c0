//! Snapshots: the trees that containers were at a moment, each named by its container and a name of its own.
//!
//! `cas/refs/snapshots/CONTAINER%2FNAME.json`. A snapshot is a whole tree, so it needs neither the image that the container
//! began with nor another snapshot; what it has in common with them lies in the store once.

use super::diff::changes;
use super::layer::{Layer, Read};
use super::tree::Tree;
use super::{Cas, Change, Lease, RefKind, read_record};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::images::Work;
use crate::progress::Progress;
use crate::tree::{Neutralised, keeps_xattr};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use volt_host::files::LockMode;
use volt_model::image::ImageRef;
use volt_model::name::Name;
use volt_model::percent;

/// A snapshot of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`Snapshot::VERSION`].
    pub version: u32,
    /// Whose it is.
    pub container: Name,
    /// What it is called.
    pub name: Name,
    /// What the container was.
    pub tree: Digest,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// The image that the container began with, as it was named.
    pub image: ImageRef,
    /// The tree that the container stood on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Digest>,
    /// Files, folders and all else in the tree, its root included.
    pub entries: u64,
    /// The sizes of the files that the container had written, in bytes.
    pub size: u64,
    /// Of these, what was not in the store before.
    pub new: u64,
    /// What was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Neutralised>,
}

impl Snapshot {
    /// The version of the record.
    pub const VERSION: u32 = 1;
}

/// What a new snapshot is to be called.
#[derive(Debug, Clone)]
pub struct NewSnapshot {
    /// Whose it is.
    pub container: Name,
    /// What it is called; the caller sees to it that nobody else takes the name meanwhile.
    pub name: Name,
    /// The image that the container began with.
    pub image: ImageRef,
}

impl Cas {
    /// Makes a snapshot. When this returns, all of it is on disk.
    ///
    /// # Errors
    /// `Full`; those of the layer's keeper; `Cancelled`.
    pub fn snapshot(
        &self,
        new: NewSnapshot,
        layer: &Layer<'_>,
        work: Work<'_>,
    ) -> Result<Snapshot> {
        self.with_tree_of(layer, work, |read, tree| {
            let snapshot = Snapshot {
                version: Snapshot::VERSION,
                container: new.container,
                name: new.name,
                tree,
                created: jiff::Timestamp::now(),
                image: new.image,
                below: layer.below,
                entries: read.nodes.len() as u64,
                size: read.size,
                new: read.new,
                left_out: read.notes.into_list(),
            };
            self.write_snapshot(&snapshot)?;
            Ok(snapshot)
        })
    }

    /// Stores the tree that a container is, and calls `work` with it, which sees to it that somebody wants the tree from then on.
    ///
    /// # Errors
    /// As [`Cas::snapshot`], and those of `then`.
    pub fn with_layer_stored<T, E: From<Error>>(
        &self,
        layer: &Layer<'_>,
        work: Work<'_>,
        then: impl FnOnce(Digest) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.with_tree_of(layer, work, |_, tree| then(tree))
    }

    fn with_tree_of<T, E: From<Error>>(
        &self,
        layer: &Layer<'_>,
        work: Work<'_>,
        then: impl FnOnce(Read, Digest) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.tidy(work.wanted)?;
        let store = || -> Result<(Lease, Read, Digest)> {
            let lease = self.lease(work.wanted)?;
            let read = self.read_layer(Some(&lease), layer, work.progress)?;
            let tree = self.manifest(&lease, &read.nodes)?;
            work.progress.step("Writing it to disk");
            lease.sync()?;
            if work.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            Ok((lease, read, tree))
        };
        let done = store().map_err(E::from).and_then(|(lease, read, tree)| {
            let value = then(read, tree)?;
            lease.end()?;
            Ok(value)
        });
        if done.is_err()
            && let Err(error) = self.collect(work.wanted)
        {
            // A disk that is full has better uses.
            tracing::warn!(%error, "what was stored in vain remains as garbage");
        }
        done
    }

    /// What is different in a container since it was that tree, in the order of paths. Nothing is stored.
    pub fn changes_since(
        &self,
        tree: &Digest,
        layer: &Layer<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Change>> {
        let from = self.tree(tree)?;
        let read = self.read_layer(None, layer, progress)?;
        // It has no name; nobody asks for it.
        Ok(changes(&from, &Tree { digest: *tree, nodes: read.nodes }))
    }

    /// What is different between two trees.
    pub fn changes_between(&self, from: &Digest, to: &Digest) -> Result<Vec<Change>> {
        if from == to {
            return Ok(Vec::new());
        }
        Ok(changes(&self.tree(from)?, &self.tree(to)?))
    }

    /// All snapshots, those of one container together, the oldest first. One that can't be read is left out: `system check` has it.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut all = Vec::new();
        for (path, read) in self.each_snapshot()? {
            match read {
                Ok(snapshot) => all.push(snapshot),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "a snapshot can't be read");
                }
            }
        }
        all.sort_by(|a, b| {
            (&a.container, a.created, &a.name).cmp(&(&b.container, b.created, &b.name))
        });
        Ok(all)
    }

    /// The files of all snapshots, each with what is in it.
    pub fn each_snapshot(&self) -> Result<Vec<(PathBuf, Result<Snapshot>)>> {
        let files = crate::images::entries(&self.refs().folder(RefKind::Snapshots))?;
        let is_ref = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        // Nothing there any more: removed since the folder was read.
        let read = |path: PathBuf| read_record(&path).transpose().map(|read| (path, read));
        Ok(files.into_iter().filter(is_ref).filter_map(read).collect())
    }

    /// The snapshot of a container that has this name; none where there is none.
    pub fn find_snapshot(&self, container: &Name, name: &Name) -> Result<Option<Snapshot>> {
        read_record(&self.refs().path(RefKind::Snapshots, &encoded(container, name)))
    }

    /// Removes a snapshot; false where there was none. What nothing else reaches then is garbage.
    pub fn forget_snapshot(&self, container: &Name, name: &Name) -> Result<bool> {
        self.refs().remove(RefKind::Snapshots, &encoded(container, name))
    }

    /// Removes all snapshots of a container, those that can't be read too.
    pub fn forget_snapshots(&self, container: &Name) -> Result<()> {
        self.of_container(container)?
            .iter()
            .try_for_each(|stem| self.refs().remove(RefKind::Snapshots, stem).map(drop))
    }

    /// Makes the snapshots of a container those of another name. May be called again where it broke off.
    pub fn pass_snapshots(&self, from: &Name, to: &Name) -> Result<()> {
        let stems = self.of_container(from)?;
        if stems.is_empty() {
            return Ok(());
        }
        // Whoever gathers which trees have names must not miss one that is on its way.
        let _names = self.lock_refs(LockMode::Exclusive)?;
        for stem in stems {
            let path = self.refs().path(RefKind::Snapshots, &stem);
            if let Some(snapshot) = read_record::<Snapshot>(&path)? {
                self.write_snapshot(&Snapshot { container: to.clone(), ..snapshot })?;
            }
            self.refs().remove(RefKind::Snapshots, &stem)?;
        }
        Ok(())
    }

    /// What the snapshots of a container are called, sorted.
    pub fn snapshot_names(&self, container: &Name) -> Result<Vec<Name>> {
        let name = |stem: String| percent::decode(&stem)?.split_once('/')?.1.parse().ok();
        Ok(self.of_container(container)?.into_iter().filter_map(name).collect())
    }

    /// Gives a folder the attributes that the root of a tree has.
    pub fn dress_root(&self, tree: &Digest, dir: &Path) -> Result<()> {
        use rustix::fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fsetxattr, futimens};
        let root = super::tree::root(&self.objects(), tree)?;
        let failed = |error: rustix::io::Errno| Error::io("write", dir, error);
        let fd = crate::tree::open_root(dir).map_err(failed)?;
        let owner = (Uid::from_raw(root.meta.uid), Gid::from_raw(root.meta.gid));
        fchown(&fd, Some(owner.0), Some(owner.1)).map_err(failed)?;
        for (name, value) in root.meta.xattrs.iter().filter(|(name, _)| keeps_xattr(name)) {
            fsetxattr(&fd, &name[..], value, XattrFlags::empty()).map_err(failed)?;
        }
        fchmod(&fd, Mode::from_raw_mode(root.meta.mode)).map_err(failed)?;
        futimens(&fd, &root.meta.times()).map_err(failed)
    }

    /// How the refs of a container's snapshots are called.
    fn of_container(&self, container: &Name) -> Result<Vec<String>> {
        let prefix = percent::encode(&format!("{container}/"));
        let stem = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
            name.starts_with(&prefix).then(|| name.to_owned())
        };
        let files = crate::images::entries(&self.refs().folder(RefKind::Snapshots))?;
        Ok(files.iter().filter_map(stem).collect())
    }

    fn write_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let name = encoded(&snapshot.container, &snapshot.name);
        self.refs().write(RefKind::Snapshots, &name, snapshot)
    }
}

fn encoded(container: &Name, name: &Name) -> String {
    percent::encode(&format!("{container}/{name}"))
}
