//! Removing what nobody wants any more, while others store.

use super::lease::{Collection, Pinned};
use super::{Cas, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::{Broken, Decoder, NodeKind};
use std::collections::HashSet;
use std::io::BufReader;

/// What stands on trees beside refs: containers. Asked after the leases are read.
pub(crate) type Wanted<'a> = &'a dyn Fn() -> Result<Vec<Digest>>;

/// What a collection did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// How many objects went.
    pub(crate) objects: u64,
    /// Their sizes together, in bytes.
    pub(crate) bytes: u64,
}

impl Cas {
    /// Removes every object that no ref, lease or container reaches.
    ///
    /// What is reached is gathered first. Whoever comes to count on something afterwards writes that down in a lease under
    /// the lock on the object's folder; under that lock the leases are read again before anything goes, and those that end
    /// meanwhile are kept for that.
    pub(crate) fn collect(&self, wanted: Wanted<'_>) -> Result<Swept> {
        self.sweep(wanted, true)
    }

    /// What [`Cas::collect`] would remove.
    pub(crate) fn garbage(&self, wanted: Wanted<'_>) -> Result<Swept> {
        self.sweep(wanted, false)
    }

    fn sweep(&self, wanted: Wanted<'_>, remove: bool) -> Result<Swept> {
        let objects = self.objects();
        let _collection = Collection::begin(&self.tmp())?;
        let mut pinned = Pinned::default();
        pinned.refresh(&self.tmp())?;
        let mut reached = HashSet::new();
        let roots = self.refs().trees()?.into_iter().map(|(_, tree)| tree).chain(wanted()?);
        for tree in roots {
            if reached.insert(tree) {
                reach(&objects, &tree, &mut reached)?;
            }
        }
        let mut swept = Swept::default();
        objects.each(&mut |digest| {
            if reached.contains(&digest) || pinned.has(&digest) {
                return Ok(());
            }
            let size = std::fs::metadata(objects.path(&digest)).map_or(0, |data| data.len());
            let gone = !remove
                || objects.remove_unless(&digest, || {
                    pinned.refresh(&self.tmp())?;
                    Ok(pinned.has(&digest))
                })?;
            if gone {
                swept.objects += 1;
                swept.bytes += size;
            }
            Ok(())
        })?;
        Ok(swept)
    }
}

/// Adds what a tree's manifest names. A tree whose manifest can't be read is an error: nothing may go then.
fn reach(objects: &Objects, tree: &Digest, reached: &mut HashSet<Digest>) -> Result<()> {
    let broken = |error: Broken| Error::Corrupt {
        path: objects.path(tree),
        reason: format!("it is no tree: {error}"),
    };
    let mut nodes = Decoder::new(BufReader::new(objects.open(tree)?)).map_err(broken)?;
    while let Some(node) = nodes.next().map_err(broken)? {
        if let NodeKind::File(content) = node.kind {
            reached.insert(content.digest);
        }
    }
    Ok(())
}
