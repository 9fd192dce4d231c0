//! Layers: what a later one takes away from earlier ones.

use super::find::Missing;
use super::{MemTree, Number};
use crate::error::{Error, Result};
use crate::tree::{Entry, EntryPath};

/// How the names of whiteouts begin.
pub(super) const WHITEOUT: &[u8] = b".wh.";
/// The rest of the name of one that hides all that earlier layers have in its folder.
const OPAQUE: &[u8] = b".wh..opq";

/// Whether a layer says something of other entries by a file of this name.
pub(crate) fn is_whiteout(path: &EntryPath) -> bool {
    path.split().is_some_and(|(_, name)| name.starts_with(WHITEOUT))
}

impl MemTree {
    /// What is put from now on is of the next layer.
    pub(crate) fn begin_layer(&mut self) -> Result<()> {
        self.layer = self
            .layer
            .checked_add(1)
            .ok_or_else(|| Error::Damaged("it has too many layers".into()))?;
        // What an earlier layer left out is not what a link of this one means.
        self.special.clear();
        self.pruned.clear();
        self.last = None;
        Ok(())
    }

    /// Takes away what earlier layers have. `name` is what follows the beginning of a whiteout's name.
    pub(super) fn whiteout(&mut self, entry: &Entry, folder: &[u8], name: &[u8]) -> Result<()> {
        let folder = match self.find_folder(folder) {
            Ok(found) => found.number,
            // There is nothing to take away.
            Err(Missing::Nothing | Missing::NoFolder) => return Ok(()),
            Err(Missing::Circles) => {
                let reason = "it lies behind links that go in circles";
                return Err(Error::refused(entry.path.as_bytes(), reason));
            }
        };
        self.last = None;
        if name == OPAQUE {
            self.prune(folder);
        } else if !name.starts_with(WHITEOUT) && !name.is_empty() {
            self.take_away(folder, name);
        }
        // Others that begin like that are notes that aufs made for itself.
        Ok(())
    }

    /// An entry that was there is of this layer as well.
    pub(super) fn touch(&mut self, folder: Number, name: &[u8]) {
        let layer = self.layer;
        if let Some(name) = self.folder_mut(folder).and_then(|folder| folder.names.get_mut(name)) {
            name.layer = layer;
        }
    }

    /// Takes away a name of earlier layers, with all that they have below it. What this layer has below it stays.
    fn take_away(&mut self, folder: Number, name: &[u8]) {
        let layer = self.layer;
        let Some(there) = self.folder(folder).and_then(|folder| folder.names.get(name)).copied()
        else {
            return;
        };
        self.prune(there.number);
        let is_empty = self.folder(there.number).is_none_or(|folder| folder.names.is_empty());
        if there.layer < layer
            && is_empty
            && let Some(folder) = self.folder_mut(folder)
        {
            folder.names.remove(name);
        }
    }

    /// Takes away all that earlier layers have in a folder.
    pub(super) fn prune(&mut self, folder: Number) {
        let layer = self.layer;
        // Folders in the order in which they are found, so that each comes after the one it is in.
        let mut folders: Vec<Number> = Vec::new();
        let mut at = 0;
        if self.pruned.insert(folder) {
            folders.push(folder);
        }
        while let Some(number) = folders.get(at).copied() {
            at += 1;
            let names = self.folder(number).into_iter().flat_map(|folder| folder.names.values());
            let below: Vec<Number> = names.map(|name| name.number).collect();
            for below in below {
                // Once is enough for each, however often an archive asks for it.
                if self.folder(below).is_some() && self.pruned.insert(below) {
                    folders.push(below);
                }
            }
        }
        for number in folders.into_iter().rev() {
            let keeps = |tree: &Self, name: &super::Name| {
                let is_full = tree.folder(name.number).is_some_and(|f| !f.names.is_empty());
                name.layer == layer || is_full
            };
            let Some(folder) = self.folder(number) else { continue };
            let gone: Vec<Box<[u8]>> = folder
                .names
                .iter()
                .filter(|(_, name)| !keeps(self, name))
                .map(|(name, _)| name.clone())
                .collect();
            if let Some(folder) = self.folder_mut(number) {
                for name in gone {
                    folder.names.remove(&name);
                }
            }
        }
    }
}
