//! Reading all that a root has before its first use after a boot.

use super::{Form, Roots, links};
use crate::cas;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::NodeKind;
use crate::parallel;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use volt_host::files;

impl Roots {
    /// Whether a root was read whole since the boot.
    pub(super) fn is_checked(&self, tree: &Digest, form: Form) -> Result<bool> {
        Ok(self.cas.checked_dir()?.join(mark(tree, form)).exists())
    }

    /// Writes down that a root is good.
    pub(super) fn set_checked(&self, tree: &Digest, form: Form) -> Result<()> {
        let dir = self.cas.checked_dir()?;
        self.cas.forget_index_of_earlier_boots()?;
        files::create_dirs(&dir, 0o700)?;
        let path = dir.join(mark(tree, form));
        fs::write(&path, b"").map_err(|error| Error::io("write", &path, error))
    }

    /// The manifest is the one of that name.
    pub(super) fn check_manifest(&self, tree: &Digest) -> Result<()> {
        let corrupt =
            |reason: &str| Error::Corrupt { path: self.objects.path(tree), reason: reason.into() };
        match self.objects.check(tree)? {
            Some(true) => Ok(()),
            Some(false) => Err(corrupt("its contents are not what its name says")),
            None => Err(corrupt("the object is missing")),
        }
    }

    /// An image that is what its tree makes it, of a tree all of whose objects are good.
    pub(super) fn good_image(&self, tree: &Digest) -> Result<()> {
        self.check_objects(tree)?;
        if self.check_image(tree)? == Some(true) {
            return Ok(());
        }
        self.make_image(tree)
    }

    /// A tree of hard links all of whose files are good. One that is not, though its object is, is made again.
    pub(super) fn good_links(&self, tree: &Digest) -> Result<()> {
        for _ in 0..2 {
            let root = self.links_path(tree);
            if !root.is_dir() {
                // An object that could not be copied is told from all that are damaged.
                self.make_links(tree).or_else(|error| {
                    self.check_objects(tree)?;
                    Err(error)
                })?;
            }
            let bad = links::check(self.nodes(tree)?, &root)?;
            if bad.is_empty() {
                return Ok(());
            }
            tracing::warn!(%tree, entry = bad[0], "a root was damaged and is made again");
            self.variants.forget(&root, &bad)?;
            self.remove(&self.dir.join(tree.hex()))?;
            self.check_objects(tree)?;
        }
        let reason = "its files are not what they were written as, however often".to_owned();
        Err(Error::Corrupt { path: self.links_path(tree), reason })
    }

    /// All objects of a tree are there and what their names say.
    fn check_objects(&self, tree: &Digest) -> Result<()> {
        use super::erofs::Nodes;
        let known = self.cas.known_good()?;
        let (mut wanted, mut seen) = (Vec::new(), HashSet::new());
        let mut nodes = self.nodes(tree)?;
        while let Some(node) = nodes.next()? {
            if let NodeKind::File(content) = &node.kind
                && seen.insert(content.digest)
                && !known.has(&content.digest)
            {
                wanted.push((content.size, content.digest, node.path));
            }
        }
        // Large ones first, so that the last of them keeps nobody waiting.
        wanted.sort_unstable_by_key(|(size, ..)| std::cmp::Reverse(*size));
        let bad = parallel::find(&wanted, &|(_, digest, _)| {
            Ok(self.objects.check(digest)? != Some(true))
        })?;
        let Some((_, object, path)) = bad.first() else { return Ok(()) };
        let problem = match self.objects.has(object)? {
            true => "is not what its name says",
            false => "is missing",
        };
        let entry = cas::shown(path);
        Err(Error::BadObject { object: *object, entry, problem, more: bad.len() as u64 - 1 })
    }

    /// Whether an image is what its tree makes it; nothing where there is none.
    pub(super) fn check_image(&self, tree: &Digest) -> Result<Option<bool>> {
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
}

fn mark(tree: &Digest, form: Form) -> String {
    let form = match form {
        Form::Image => "image",
        Form::Links => "links",
    };
    format!("{form}-{}", tree.hex())
}
