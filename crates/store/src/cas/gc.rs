//! Removing what nobody wants any more, while others store.

use super::lease::{Collection, Pinned};
use super::{Cas, Objects};
use crate::digest::Digest;
use crate::error::Result;
use crate::manifest::NodeKind;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use volt_host::files::{self, LockMode};

/// What stands on trees beside refs: containers. Asked after the leases are read.
pub type Wanted<'a> = &'a dyn Fn() -> Result<Vec<Digest>>;

/// What a collection did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many objects went.
    pub objects: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// What they took on disk, in bytes.
    pub on_disk: u64,
}

impl Swept {
    /// Counts an object, and removes it where `remove` says so.
    fn take(&mut self, path: &Path, remove: bool) -> Result<()> {
        let data = fs::metadata(path);
        if remove {
            files::remove_file(path)?;
        }
        self.objects += 1;
        self.bytes += data.as_ref().map_or(0, fs::Metadata::len);
        self.on_disk += data.map_or(0, |data| data.blocks() * 512);
        Ok(())
    }
}

impl Cas {
    /// Removes every object that no ref, lease or container reaches.
    ///
    /// What is reached is gathered first. Whoever comes to count on something afterwards writes that down in a lease under
    /// the lock on the object's folder; under that lock the leases are read again before anything of the folder goes, and
    /// those that end meanwhile are kept for that.
    pub fn collect(&self, wanted: Wanted<'_>) -> Result<Swept> {
        self.sweep(wanted, true)
    }

    /// What [`Cas::collect`] would remove.
    pub fn garbage(&self, wanted: Wanted<'_>) -> Result<Swept> {
        self.sweep(wanted, false)
    }

    fn sweep(&self, wanted: Wanted<'_>, remove: bool) -> Result<Swept> {
        let objects = self.objects();
        if !self.dir.is_dir() {
            return Ok(Swept::default());
        }
        let _collection = Collection::begin(&self.tmp())?;
        let mut pinned = Pinned::read(&self.tmp())?;
        let mut reached = HashSet::new();
        for tree in self.standing_trees(wanted)? {
            if reached.insert(tree) {
                reach(&objects, &tree, &mut reached)?;
            }
        }
        reached.extend(self.kept_blobs()?);
        let mut swept = Swept::default();
        objects.each_folder(&mut |mut garbage| {
            garbage.retain(|digest| !reached.contains(digest) && !pinned.has(digest));
            let Some(first) = garbage.first() else { return Ok(()) };
            let _alone = if remove { Some(objects.lock_alone(first)?) } else { None };
            pinned.refresh(&self.tmp())?;
            garbage.retain(|digest| !pinned.has(digest));
            garbage.iter().try_for_each(|digest| swept.take(&objects.path(digest), remove))
        })?;
        self.sweep_quarantine(&reached, remove, &mut swept)?;
        Ok(swept)
    }

    /// The trees that refs and `wanted` reach. Names of images stay meanwhile: else one that is passed on could be missed. The refs
    /// are read first, since whoever comes to stand on a tree finds it by a ref, under the same lock.
    pub fn standing_trees(&self, wanted: Wanted<'_>) -> Result<HashSet<Digest>> {
        let _names = self.lock_refs(LockMode::Shared)?;
        let mut trees: HashSet<Digest> = self.refs().trees()?.into_iter().collect();
        trees.extend(wanted()?);
        Ok(trees)
    }

    /// What refs keep beside trees; names stay meanwhile, as there.
    fn kept_blobs(&self) -> Result<Vec<Digest>> {
        let _names = self.lock_refs(LockMode::Shared)?;
        Ok(self.refs().blobs()?.into_iter().map(|blob| blob.object).collect())
    }

    /// What is in quarantine goes when it is there again in good state, or nobody wants it.
    fn sweep_quarantine(
        &self,
        reached: &HashSet<Digest>,
        remove: bool,
        swept: &mut Swept,
    ) -> Result<()> {
        for path in crate::images::entries(&self.quarantine())? {
            let digest = path.file_name().and_then(|name| name.to_str()?.parse::<Digest>().ok());
            let Some(digest) = digest else { continue };
            if reached.contains(&digest) && !self.objects().has(&digest)? {
                continue;
            }
            swept.take(&path, remove)?;
        }
        Ok(())
    }
}

/// Adds what a tree's manifest names. A tree whose manifest can't be read, or is not what its name says, is an error: nothing
/// may go then.
pub(super) fn reach(objects: &Objects, tree: &Digest, reached: &mut HashSet<Digest>) -> Result<()> {
    super::tree::each_node(objects, tree, &mut |node| {
        if let NodeKind::File(content) = node.kind {
            reached.insert(content.digest);
        }
    })
}
