//! Reading all that a root has before its first use after a boot.

use super::{Form, Roots, links};
use crate::cas;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::NodeKind;
use crate::parallel;
use crate::progress::Progress;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};
use volt_host::files::{LockError, LockMode, Stage, Wait};

/// A root that is not what its tree makes it.
#[derive(Debug)]
pub(crate) struct BadRoot {
    /// The tree.
    pub(crate) tree: Digest,
    /// Of which form the root is.
    pub(crate) form: Form,
    /// The files that are not what they were; none where it is an image, which has none.
    pub(crate) files: Vec<String>,
}

impl Roots {
    /// Whether a root was read whole since the boot.
    pub(super) fn is_checked(&self, tree: &Digest, form: Form) -> Result<bool> {
        self.cas.marks().has(&mark(tree, form))
    }

    /// Writes down that a root is good.
    pub(super) fn set_checked(&self, tree: &Digest, form: Form) -> Result<()> {
        self.cas.forget_index_of_earlier_boots()?;
        self.cas.marks().set(&mark(tree, form))
    }

    /// The manifest is the one of that name; else it is moved to quarantine.
    pub(super) fn check_manifest(&self, tree: &Digest) -> Result<()> {
        let corrupt =
            |reason: &str| Error::Corrupt { path: self.objects.path(tree), reason: reason.into() };
        match self.objects.check(tree)? {
            Some(true) => Ok(()),
            Some(false) => {
                self.put_away(tree);
                Err(corrupt("its contents are not what its name says"))
            }
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
            let bad = links::check(self.nodes(tree)?, &root, &links::has_contents)?;
            if bad.is_empty() {
                return Ok(());
            }
            tracing::warn!(%tree, entry = bad[0], "a root is damaged and is mended");
            match self.mend_links(tree, &bad) {
                // A folder of it is gone, or worse.
                Err(Error::Io { .. }) => drop(self.remove(&self.dir.join(tree.hex()))?),
                mended => mended?,
            }
        }
        let reason = "its files are not what they were written as, however often".to_owned();
        Err(Error::Corrupt { path: self.links_path(tree), reason })
    }

    /// Makes files of a root anew. Containers may stand on it, so it stays where it is.
    fn mend_links(&self, tree: &Digest, bad: &[String]) -> Result<()> {
        let root = self.links_path(tree);
        self.variants.forget(&root, bad)?;
        self.check_objects(tree)?;
        let stage = Stage::new(&self.stages(), "root")?;
        let drafts = Stage::new(&self.stages(), "variants")?;
        let (fresh, making) =
            (stage.path().join("rootfs"), self.variants.making(&self.objects, drafts.path()));
        let made = links::write(&|| self.nodes(tree), &fresh, making)?;
        links::replace(self.nodes(tree)?, (&fresh, &root), bad)?;
        stage.sync()?;
        made.publish(&self.variants)
    }

    /// Reads all roots there are, of either form, and tells those that are not what their trees make them, each with those of its
    /// files that aren't. Objects are believed, which the caller has read. What is being made is left to its maker.
    pub(crate) fn verify(&self, progress: &dyn Progress) -> Result<Vec<BadRoot>> {
        // Roots share variants.
        let read: Mutex<HashMap<(u64, u64), bool>> = Mutex::default();
        let known = || read.lock().unwrap_or_else(PoisonError::into_inner);
        let is_good = |file: &File, digest: &Digest| {
            let Ok(stat) = rustix::fs::fstat(file) else { return false };
            let inode = |stat: &rustix::fs::Stat| (stat.st_dev, stat.st_ino);
            match rustix::fs::stat(self.objects.path(digest)) {
                Ok(object) if inode(&object) != inode(&stat) => {}
                // The object itself; or it is in quarantine or missing, which is told of it.
                _ => return true,
            }
            let found = known().get(&inode(&stat)).copied();
            found.unwrap_or_else(|| {
                let is_good = links::has_contents(file, digest);
                known().insert(inode(&stat), is_good);
                is_good
            })
        };
        let mut bad = Vec::new();
        for path in crate::images::entries(&self.dir)? {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let image = name.strip_suffix(&format!(".{}", super::IMAGE));
            let Ok(tree) = image.unwrap_or(&name).parse::<Digest>() else { continue };
            let _lock = match self.lock(&tree, LockMode::Shared, Wait::No) {
                Err(LockError::Held { .. }) => continue,
                lock => lock?,
            };
            // What it is to be isn't known without that.
            if self.objects.check(&tree)? != Some(true) {
                continue;
            }
            let form = if image.is_some() { Form::Image } else { Form::Links };
            // It may have gone before it was locked.
            let is_there = match form {
                Form::Image => path.exists(),
                Form::Links => self.links_path(&tree).exists(),
            };
            if !is_there {
                continue;
            }
            let read = match form {
                Form::Image => {
                    self.check_image(&tree).map(|good| (good == Some(false), Vec::new()))
                }
                Form::Links => self
                    .nodes(&tree)
                    .and_then(|nodes| links::check(nodes, &self.links_path(&tree), &is_good))
                    .map(|files| (!files.is_empty(), files)),
            };
            match read {
                Ok((true, files)) => bad.push(BadRoot { tree, form, files }),
                // The tree went meanwhile, and the root goes next.
                Ok(_) | Err(Error::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bad)
    }

    /// Makes a root what its tree makes it; false where somebody is using it right now.
    pub(crate) fn mend(&self, tree: &Digest, form: Form) -> Result<bool> {
        let _alone = match self.lock(tree, LockMode::Exclusive, Wait::No) {
            Err(LockError::Held { .. }) => return Ok(false),
            lock => lock?,
        };
        match form {
            Form::Image => self.good_image(tree)?,
            Form::Links => self.good_links(tree)?,
        }
        self.set_checked(tree, form).map(|()| true)
    }

    /// All objects of a tree are there and what their names say; those that are not are moved to quarantine.
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
        for (_, digest, _) in &bad {
            self.put_away(digest);
        }
        let entry = cas::shown(path);
        Err(Error::BadObject { object: *object, entry, problem, more: bad.len() as u64 - 1 })
    }

    /// Moves an object to quarantine that is damaged: whoever stores it again has it stored then.
    fn put_away(&self, digest: &Digest) {
        if let Err(error) = self.cas.put_away(digest) {
            tracing::warn!(%digest, %error, "a damaged object could not be moved to quarantine");
        }
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
