//! Entries of an archive, each checked before it is kept.

use super::find::{Found, Missing};
use super::layer::WHITEOUT;
use super::{
    ENTRY, Folder, Inode, Kind, MEMORY, MemTree, Name, Number, ROOT, SPECIAL_LIMIT, attributes,
};
use crate::digest::Digest;
use crate::error::{Error, Result, printable};
use crate::manifest::Content;
use crate::tree::{self, Entry, EntryPath, Meta, PATH_LIMIT, Shape};

impl MemTree {
    /// Puts an entry into the tree. A file's number is told, by which it is filled.
    ///
    /// # Errors
    /// `Refused` for what makes no sense or exceeds the quota.
    pub(crate) fn put(&mut self, entry: &Entry) -> Result<Option<Number>> {
        self.count(entry)?;
        match (&entry.kind, entry.path.split()) {
            (tree::Kind::Special(what), _) => self.leave_out(entry, what).map(|()| None),
            (tree::Kind::Directory, None) => {
                self.is_root_known = true;
                self.dress(ROOT, entry).map(|()| None)
            }
            (_, None) => Err(refused(entry, "it takes the place of the root")),
            (_, Some((folder, name))) if self.layer > 0 && name.starts_with(WHITEOUT) => {
                self.whiteout(entry, folder, &name[WHITEOUT.len()..]).map(|()| None)
            }
            (kind, Some((folder, name))) => {
                let folder = self.folder_of(entry, folder)?;
                self.put_into(folder, name, entry, kind)
            }
        }
    }

    fn put_into(
        &mut self,
        folder: Number,
        name: &[u8],
        entry: &Entry,
        kind: &tree::Kind,
    ) -> Result<Option<Number>> {
        let there = self.child(folder, name);
        let kind = match kind {
            tree::Kind::Directory => {
                if let Some(there) = there.filter(|there| self.folder(*there).is_some()) {
                    self.touch(folder, name);
                    return self.dress(there, entry).map(|()| None);
                }
                Kind::Folder(Folder::default())
            }
            tree::Kind::File(shape) => {
                self.count_bytes(entry, shape)?;
                let (size, segments) = (shape.size, shape.in_manifest());
                Kind::File(Content { size, digest: Digest::from_bytes([0; 32]), segments })
            }
            tree::Kind::Symlink(target) => Kind::Symlink(target.clone()),
            tree::Kind::Fifo => Kind::Fifo,
            tree::Kind::HardLink(target) => {
                return self.hard_link(entry, target, folder, name).map(|()| None);
            }
            tree::Kind::Special(_) => return Ok(None),
        };
        self.clear(entry, folder, name)?;
        let is_file = matches!(kind, Kind::File(_));
        let number = self.add(entry, folder, name, kind)?;
        self.dress(number, entry)?;
        Ok(is_file.then_some(number))
    }

    fn count(&mut self, entry: &Entry) -> Result<()> {
        self.entries += 1;
        if self.entries > self.quota.entries {
            let most = self.quota.entries;
            return Err(refused(entry, format!("there are more than {most} entries")));
        }
        Ok(())
    }

    fn count_bytes(&mut self, entry: &Entry, shape: &Shape) -> Result<()> {
        self.bytes = self.bytes.saturating_add(shape.size);
        if self.bytes > self.quota.bytes {
            let most = self.quota.bytes;
            return Err(refused(entry, format!("the files are larger than {most} bytes in all")));
        }
        Ok(())
    }

    fn use_memory(&mut self, entry: &Entry, bytes: usize) -> Result<()> {
        self.memory += bytes;
        if self.memory > MEMORY {
            return Err(refused(entry, "there are too many names and attributes"));
        }
        Ok(())
    }

    fn leave_out(&mut self, entry: &Entry, what: &str) -> Result<()> {
        if self.special.len() >= SPECIAL_LIMIT {
            return Err(refused(entry, "there are too many devices"));
        }
        self.special.insert(entry.path.clone());
        self.notes.add(entry.path.as_bytes(), format!("{what} was left out"));
        Ok(())
    }

    /// A new entry under a name that is free.
    fn add(
        &mut self,
        entry: &Entry,
        folder: Number,
        name: &[u8],
        mut kind: Kind,
    ) -> Result<Number> {
        let more = match &kind {
            Kind::Symlink(target) => target.len(),
            Kind::File(content) => content.segments.len() * size_of::<tree::Segment>(),
            _ => 0,
        };
        self.use_memory(entry, ENTRY + more)?;
        let length = self.length_with(entry, folder, name)?;
        if let Kind::Folder(new) = &mut kind {
            (new.above, new.length) = (folder, length);
        }
        let number = Number::try_from(self.inodes.len())
            .map_err(|_| refused(entry, "there are too many entries"))?;
        self.inodes.push(Inode { kind, meta: Meta::default() });
        self.name(entry, folder, name, number)?;
        Ok(number)
    }

    pub(super) fn name(
        &mut self,
        entry: &Entry,
        folder: Number,
        name: &[u8],
        number: Number,
    ) -> Result<()> {
        self.use_memory(entry, name.len())?;
        let layer = self.layer;
        if let Some(folder) = self.folder_mut(folder) {
            folder.names.insert(name.into(), Name { number, layer });
        }
        if !self.is_root_known {
            // An archive that doesn't say is as old as what is first in it.
            self.is_root_known = true;
            self.inode_mut(ROOT).meta.mtime = entry.meta.mtime;
        }
        Ok(())
    }

    /// The length of the path of what is in a folder under a name: behind links it may be more than an archive says.
    fn length_with(&self, entry: &Entry, folder: Number, name: &[u8]) -> Result<usize> {
        let above = self.folder(folder).map_or(0, |folder| folder.length);
        let length = above + usize::from(above > 0) + name.len();
        if length > PATH_LIMIT {
            return Err(refused(entry, "its path is longer than 4095 bytes"));
        }
        Ok(length)
    }

    /// The folder an entry lies in, made where it is missing.
    fn folder_of(&mut self, entry: &Entry, path: &[u8]) -> Result<Number> {
        if let Some((last, number)) = &self.last
            && last == path
        {
            return Ok(*number);
        }
        let number = match self.find_folder(path) {
            Ok(found) => self.noted(entry, found),
            Err(Missing::Nothing) => self.make_folders(entry, path)?,
            Err(missing) => return Err(no_folder(entry, missing)),
        };
        self.last = Some((path.to_vec(), number));
        Ok(number)
    }

    fn noted(&mut self, entry: &Entry, found: Found) -> Number {
        if found.strayed {
            let what = "it lies behind a link that leads out; it was kept inside the image";
            self.notes.add(entry.path.as_bytes(), what);
        }
        found.number
    }

    /// Makes the missing folders of a path, one by one.
    fn make_folders(&mut self, entry: &Entry, path: &[u8]) -> Result<Number> {
        let mut at = Found { number: ROOT, strayed: false };
        for name in path.split(|byte| *byte == b'/') {
            at = match self.find_from(at, name) {
                Ok(found) => found,
                Err(Missing::Nothing) if self.child(at.number, name).is_some() => {
                    return Err(refused(entry, "it lies behind a link that leads nowhere"));
                }
                Err(Missing::Nothing) => {
                    self.count(entry)?;
                    let kind = Kind::Folder(Folder::default());
                    let number = self.add(entry, at.number, name, kind)?;
                    let mtime = entry.meta.mtime;
                    self.inode_mut(number).meta = Meta { mode: 0o755, mtime, ..Meta::default() };
                    Found { number, ..at }
                }
                Err(missing) => return Err(no_folder(entry, missing)),
            };
        }
        Ok(self.noted(entry, at))
    }

    /// Clears the way for an entry: of two with one name the last wins, as with tar. What is there of earlier layers gives way
    /// with all that is in it.
    fn clear(&mut self, entry: &Entry, folder: Number, name: &[u8]) -> Result<()> {
        let Some(there) = self.child(folder, name) else { return Ok(()) };
        if self.layer > 0 {
            self.prune(there);
        }
        if self.folder(there).is_some_and(|there| !there.names.is_empty()) {
            return Err(refused(entry, "it takes the place of a folder that is not empty"));
        }
        // A folder remembered under a path through what goes away now must be looked up again.
        self.last = None;
        if let Some(folder) = self.folder_mut(folder) {
            folder.names.remove(name);
        }
        Ok(())
    }

    fn hard_link(
        &mut self,
        entry: &Entry,
        target: &EntryPath,
        folder: Number,
        name: &[u8],
    ) -> Result<()> {
        if self.special.contains(target) {
            return self.leave_out(entry, "a link to something that was left out");
        }
        let Some((target_folder, target_name)) = target.split() else {
            return Err(refused(entry, "it links to the root"));
        };
        let target_folder = match self.find_folder(target_folder) {
            Ok(found) => self.noted(entry, found),
            Err(Missing::Nothing) => {
                return Err(refused(entry, "it refers to a folder that does not exist"));
            }
            Err(missing) => return Err(no_folder(entry, missing)),
        };
        let Some(number) = self.child(target_folder, target_name) else {
            let target = printable(target.as_bytes());
            return Err(refused(entry, format!("it links to `{target}`, which is not there")));
        };
        if self.folder(number).is_some() {
            return Err(refused(entry, "it links to a folder"));
        }
        if self.child(folder, name) == Some(number) {
            return Ok(());
        }
        self.clear(entry, folder, name)?;
        self.length_with(entry, folder, name)?;
        self.name(entry, folder, name, number)
    }

    /// Gives an entry its attributes, without those that no file system would take.
    fn dress(&mut self, number: Number, entry: &Entry) -> Result<()> {
        let mut meta = entry.meta.clone();
        if matches!(entry.kind, tree::Kind::Symlink(_)) && !meta.xattrs.is_empty() {
            self.notes.add(entry.path.as_bytes(), "its extended attributes were left out");
            meta.xattrs.clear();
        }
        meta.xattrs.sort_unstable();
        for name in attributes::retain(&mut meta.xattrs, &entry.kind) {
            let name = printable(&name);
            let what = format!("its attribute {name} cannot be set here and was left out");
            self.notes.add(entry.path.as_bytes(), what);
        }
        let size = meta.xattrs.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        self.use_memory(entry, size)?;
        self.inode_mut(number).meta = meta;
        Ok(())
    }
}

fn refused(entry: &Entry, reason: impl Into<String>) -> Error {
    Error::refused(entry.path.as_bytes(), reason)
}

fn no_folder(entry: &Entry, missing: Missing) -> Error {
    refused(
        entry,
        match missing {
            Missing::Nothing => "it lies behind a link that leads nowhere",
            Missing::NoFolder => "it lies below something that is no folder",
            Missing::Circles => "it lies behind links that go in circles",
        },
    )
}
