//! The manifest of a tree in memory.

use super::{Kind, MemTree, Number, ROOT};
use crate::error::Result;
use crate::manifest::{Encoder, Node, NodeKind};
use crate::tree::{EntryPath, Meta};

/// A number that no entry of a manifest has.
const UNKNOWN: u64 = u64::MAX;

impl MemTree {
    /// The manifest as bytes. All files are filled.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut encoder = Encoder::new(Vec::new())?;
        let mut numbers = vec![UNKNOWN; self.inodes.len()];
        self.write(&mut encoder, &mut numbers, (EntryPath::default(), ROOT))?;
        // Folders under way, each with the names that are still to come. They are no deeper than paths are long.
        let names = self.folder(ROOT).map(|root| root.names.iter());
        let mut open: Vec<_> =
            names.map(|names| (EntryPath::default(), names)).into_iter().collect();
        while let Some((above, names)) = open.last_mut() {
            let Some((name, name_of)) = names.next() else {
                open.pop();
                continue;
            };
            let path = above.join(name);
            let number = name_of.number;
            self.write(&mut encoder, &mut numbers, (path.clone(), number))?;
            if let Some(folder) = self.folder(number) {
                open.push((path, folder.names.iter()));
            }
        }
        encoder.finish()
    }

    fn write(
        &self,
        encoder: &mut Encoder<Vec<u8>>,
        numbers: &mut [u64],
        (path, number): (EntryPath, Number),
    ) -> Result<()> {
        let known = numbers[number as usize];
        if known != UNKNOWN {
            let meta = Meta::default();
            return encoder.put(&Node { path, kind: NodeKind::Link(known), meta }).map(drop);
        }
        let inode = self.inode(number);
        let kind = match &inode.kind {
            Kind::Folder(_) => NodeKind::Directory,
            Kind::File(content) => NodeKind::File(content.clone()),
            Kind::Symlink(target) => NodeKind::Symlink(target.clone()),
            Kind::Fifo => NodeKind::Fifo,
        };
        numbers[number as usize] = encoder.put(&Node { path, kind, meta: inode.meta.clone() })?;
        Ok(())
    }
}
