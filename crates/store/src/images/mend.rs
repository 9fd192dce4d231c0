//! Getting back what is damaged of images and trees that were pulled: out of the blobs that are kept of them, else from their
//! registries, by the digests that were written down when they were pulled.
//!
//! Nothing is put anywhere by what others say it is: an image is unpacked as by a pull, each blob checked against its digest, each file
//! stored under its own hash; of a tree is fetched what it lacks. What was damaged is among them, or is not.

use super::unpack::Store;
use super::{Image, Images, KeptBlob, Limits, Work};
use crate::cas::{Cas, Copies, Damage, Lease, Objects, RefKind, Stands, Verified, read_record};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::oci::{Blobs, DOCUMENT_LIMIT, Origin, Platform, Remote};
use crate::transfer::{Shelf, TreePull};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use volt_model::kind::ErrorKind;
use volt_model::registry::{self, Digest as BlobDigest};

/// Who is to be asked for the image that a registry has.
pub type Ask<'a> = &'a (dyn Fn(&registry::Remote) -> Result<Box<dyn Origin>> + Sync);

/// Who is to be asked for the tree that a registry has.
pub type AskTree<'a> = &'a dyn Fn(&registry::Remote) -> Result<Box<dyn Shelf>>;

/// Who may have what is damaged.
#[derive(Clone, Copy)]
pub struct Menders<'a> {
    /// Folders that may have copies.
    pub copies: Copies<'a>,
    /// Who has images that were pulled.
    pub ask: Ask<'a>,
    /// Who has trees that were pulled.
    pub ask_tree: AskTree<'a>,
    /// Where what is fetched lies until it is stored.
    pub dir: &'a Path,
    /// Where small lists of trees lie that were read before.
    pub lists: &'a Path,
    /// What an image may at most become.
    pub limits: Limits,
}

impl std::fmt::Debug for Menders<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Menders({:?})", self.copies)
    }
}

/// The piece in which what is kept is copied, in bytes.
const PIECE: usize = 256 << 10;

/// Why a registry did not help, by the name of what was pulled.
type Failures = BTreeMap<String, String>;

/// Who was asked already: to ask again gives nothing else.
#[derive(Default)]
struct Asked {
    places: HashSet<(Digest, registry::Remote)>,
    failures: Failures,
}

/// Something with a name that was pulled.
struct Pulled {
    /// What it is called in findings.
    shown: String,
    tree: Digest,
    from: registry::Remote,
    what: What,
}

enum What {
    Image(Box<Image>),
    /// A tree of files, by its name.
    Tree(String),
}

impl Pulled {
    /// The command that pulls it again.
    fn command(&self) -> String {
        match &self.what {
            What::Image(image) => format!("volt image pull --force {}", image.name),
            What::Tree(name) => format!("volt cas pull --ref {name} {}", self.from),
        }
    }

    /// Whether it has something of what is lost. Of one whose tree can't be read nobody knows.
    fn has_any(&self, cas: &Cas, lost: &HashSet<Digest>) -> bool {
        let blobs: &[KeptBlob] = match &self.what {
            What::Image(image) => &image.blobs,
            What::Tree(_) => &[],
        };
        let is_lost = |tree: crate::cas::Tree| {
            tree.contents().any(|(_, content)| lost.contains(&content.digest))
        };
        lost.contains(&self.tree)
            || blobs.iter().any(|blob| lost.contains(&blob.object))
            || cas.tree(&self.tree).is_ok_and(is_lost)
    }
}

impl Images {
    /// Gets back what a verification found damaged: from folders, else from what images and trees were pulled as. What stays damaged
    /// says what would mend it.
    pub fn mend(
        &self,
        verified: &mut Verified,
        menders: Menders<'_>,
        stands: Stands<'_>,
        work: Work<'_>,
    ) -> Result<()> {
        let asked = RefCell::new(Asked::default());
        let others = |lease: &Lease, lost: HashSet<Digest>| {
            self.fetch_lost(lease, lost, (menders, work), &mut asked.borrow_mut())
        };
        self.cas.repair(verified, (menders.copies, &others), stands, work.progress)?;
        self.advise(verified, &asked.into_inner().failures, true)
    }

    /// What was pulled, images first.
    fn pulled(&self) -> Result<Vec<Pulled>> {
        let mut all = Vec::new();
        for found in self.cas.refs().all()? {
            let (shown, tree) = (found.shown(), found.tree);
            let Some(from) = found.pulled else { continue };
            let what = match found.kind {
                RefKind::Manifests => Some(What::Tree(found.name)),
                RefKind::Images => {
                    // One that can't be read is found fault with elsewhere.
                    let image = read_record(&found.path).ok().flatten();
                    image.map(|image| What::Image(Box::new(image)))
                }
                RefKind::Registry | RefKind::Snapshots => None,
            };
            all.extend(what.map(|what| Pulled { shown, tree, from, what }));
        }
        Ok(all)
    }

    /// Says of each damage what would mend it; `is_tried` says whether that was asked already, and with what failures.
    fn advise(&self, verified: &mut Verified, failures: &Failures, is_tried: bool) -> Result<()> {
        let is_open = |damage: &&mut Damage| !damage.is_repaired && damage.is_object();
        let pulled = self.pulled()?;
        for damage in verified.damages.iter_mut().filter(is_open) {
            let touches = &damage.touches;
            let is_touched = |one: &&Pulled| touches.iter().any(|touch| touch.name == one.shown);
            damage.hint = Some(match pulled.iter().find(is_touched) {
                Some(one) if !is_tried => {
                    format!("`volt cas verify --repair` fetches it from {}", one.from)
                }
                Some(one) if failures.contains_key(&one.shown) => format!(
                    "{} has it, but {}; `{}` asks there with your account",
                    one.from,
                    failures[&one.shown],
                    one.command()
                ),
                _ => "`volt cas verify --repair DIR` takes it from a folder that has it".to_owned(),
            });
        }
        Ok(())
    }

    /// The same for what was only verified.
    pub fn advise_on(&self, verified: &mut Verified) -> Result<()> {
        self.advise(verified, &Failures::new(), false)
    }

    /// Fetches again what was pulled and has something which is lost, until nothing is.
    fn fetch_lost(
        &self,
        lease: &Lease,
        mut lost: HashSet<Digest>,
        (menders, work): (Menders<'_>, Work<'_>),
        asked: &mut Asked,
    ) -> Result<()> {
        for one in self.pulled()? {
            if !one.has_any(&self.cas, &lost) || !asked.places.insert((one.tree, one.from.clone()))
            {
                continue;
            }
            let fetched = match &one.what {
                What::Image(image) => {
                    work.progress.step(&format!("Fetching what is damaged of {}", image.name));
                    self.unpack_again(lease, image, &one.from, (menders, work))
                }
                What::Tree(name) => {
                    work.progress.step(&format!("Fetching what is damaged of {name}"));
                    self.fetch_tree_again(lease, name, &one.from, (menders, work))
                }
            };
            match fetched {
                Ok(tree) if tree != one.tree => {
                    tracing::warn!(name = one.shown, %tree, "what was pulled is another tree by now");
                }
                Ok(_) => {}
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error @ Error::Full { .. }) => return Err(error),
                Err(error) => drop(asked.failures.insert(one.shown, error.to_string())),
            }
            let mut left = HashSet::new();
            for digest in lost {
                if self.cas.objects().check(&digest)? != Some(true) {
                    left.insert(digest);
                }
            }
            lost = left;
        }
        Ok(())
    }

    /// Fetches what is not here of a tree.
    fn fetch_tree_again(
        &self,
        lease: &Lease,
        name: &str,
        from: &registry::Remote,
        (menders, work): (Menders<'_>, Work<'_>),
    ) -> Result<Digest> {
        let name = name.parse().map_err(|_| Error::NoTree(name.to_owned()))?;
        let shelf = (menders.ask_tree)(from)?;
        let pull = TreePull {
            shelf: &*shelf,
            name: &name,
            limit: menders.limits.bytes,
            cache: menders.lists,
            wanted: work.wanted,
        };
        self.cas.fetch_tree_again(lease, pull, work.progress)
    }

    /// Stores all that an image was pulled as once more: only what is not there is written. The tree that it unpacks to.
    fn unpack_again(
        &self,
        lease: &Lease,
        image: &Image,
        from: &registry::Remote,
        (menders, work): (Menders<'_>, Work<'_>),
    ) -> Result<Digest> {
        let kept =
            Kept { objects: self.cas.objects(), blobs: &image.blobs, from, ask: menders.ask };
        let blobs = Blobs::Remote(Remote::new(&kept, menders.dir)?);
        let store =
            Store { cas: &self.cas, lease, limits: menders.limits, progress: work.progress };
        let made = store.image(&blobs, &Platform::own(), !image.blobs.is_empty());
        if let Blobs::Remote(remote) = &blobs {
            remote.forget();
        }
        Ok(made?.tree)
    }
}

/// An image by what is kept of it; what is not, or is damaged, a registry is asked for.
struct Kept<'a> {
    objects: Objects,
    blobs: &'a [KeptBlob],
    from: &'a registry::Remote,
    ask: Ask<'a>,
}

impl Kept<'_> {
    /// A blob that is here, and good.
    fn good(&self, digest: &str) -> Result<Option<File>> {
        let Some(blob) = self.blobs.iter().find(|blob| blob.digest == digest) else {
            return Ok(None);
        };
        match self.objects.check(&blob.object)? {
            Some(true) => self.objects.open(&blob.object).map(Some),
            _ => Ok(None),
        }
    }
}

impl Origin for Kept<'_> {
    fn place(&self) -> registry::Remote {
        self.from.clone()
    }

    fn document(&self, digest: Option<&str>) -> Result<Vec<u8>> {
        let digest = digest.unwrap_or(&self.from.reference);
        let Some(file) = self.good(digest)? else {
            return (self.ask)(self.from)?.document(Some(digest));
        };
        let mut bytes = Vec::new();
        file.take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
        match digest.parse::<BlobDigest>() {
            Ok(named) if named.names(&bytes) => Ok(bytes),
            _ => Err(Error::Elsewhere {
                reason: format!("what is kept of {} is not {digest}", self.from),
                kind: ErrorKind::General,
            }),
        }
    }

    fn fetch(
        &self,
        digest: &str,
        size: u64,
        to: &mut File,
        told: &dyn Fn(u64) -> bool,
    ) -> Result<()> {
        let Some(mut file) = self.good(digest)? else {
            return (self.ask)(self.from)?.fetch(digest, size, to, told);
        };
        to.set_len(0).and_then(|()| to.rewind()).map_err(Error::Output)?;
        let mut piece = vec![0; PIECE];
        loop {
            let length = file.read(&mut piece).map_err(Error::Input)?;
            to.write_all(&piece[..length]).map_err(Error::Output)?;
            match (length, told(length as u64)) {
                (_, false) => return Err(Error::Cancelled),
                (0, true) => return Ok(()),
                _ => {}
            }
        }
    }
}
