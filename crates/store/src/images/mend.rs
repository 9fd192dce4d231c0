//! Getting back what is damaged of images that were pulled: out of the blobs that are kept of them, else from their registries, by the
//! digests that were written down when they were pulled.
//!
//! Nothing is put anywhere by what others say it is: an image is unpacked as by a pull, each blob checked against its digest, each file
//! stored under its own hash. What was damaged is among them, or is not.

use super::unpack::Store;
use super::{Image, Images, KeptBlob, Limits, Work};
use crate::cas::{Cas, Copies, Damage, Lease, Objects, Stands, Verified};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::oci::{Blobs, DOCUMENT_LIMIT, Origin, Platform, Remote};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::registry::{self, Digest as BlobDigest};

/// Who is to be asked for the image that a registry has.
pub type Ask<'a> = &'a (dyn Fn(&registry::Remote) -> Result<Box<dyn Origin>> + Sync);

/// Who may have what is damaged.
#[derive(Clone, Copy)]
pub struct Menders<'a> {
    /// Folders that may have copies.
    pub copies: Copies<'a>,
    /// Who has images that were pulled.
    pub ask: Ask<'a>,
    /// Where what is fetched lies until it is stored.
    pub dir: &'a Path,
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

/// Why a registry did not help, by the image.
type Failures = BTreeMap<ImageRef, String>;

/// Who was asked already: to ask again gives nothing else.
#[derive(Default)]
struct Asked {
    images: HashSet<(Digest, registry::Remote)>,
    failures: Failures,
}

impl Images {
    /// Gets back what a verification found damaged: from folders, else from what images were pulled as. What stays damaged says
    /// what would mend it.
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

    /// Says of each damage what would mend it; `is_tried` says whether that was asked already, and with what failures.
    fn advise(&self, verified: &mut Verified, failures: &Failures, is_tried: bool) -> Result<()> {
        let is_open = |damage: &&mut Damage| !damage.is_repaired && damage.is_object();
        let images = self.list()?;
        for damage in verified.damages.iter_mut().filter(is_open) {
            let pulled = images.iter().find_map(|image| {
                let name = volt_model::percent::decode(&image.name.encoded())?;
                let name = format!("images/{name}");
                let is_touched = damage.touches.iter().any(|touch| touch.name == name);
                Some((&image.name, image.pulled.as_ref().filter(|_| is_touched)?))
            });
            damage.hint = Some(match pulled {
                Some((_, from)) if !is_tried => {
                    format!("`volt cas verify --repair` fetches it from {from}")
                }
                Some((name, from)) if failures.contains_key(name) => format!(
                    "{from} has it, but {}; `volt image pull --force {name}` asks there with your account",
                    failures[name]
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

    /// Unpacks those images again that have something which is lost, until nothing is.
    fn fetch_lost(
        &self,
        lease: &Lease,
        mut lost: HashSet<Digest>,
        (menders, work): (Menders<'_>, Work<'_>),
        asked: &mut Asked,
    ) -> Result<()> {
        for image in self.list()? {
            if !has_any(&self.cas, &image, &lost) {
                continue;
            }
            let Some(from) = image.pulled.clone() else { continue };
            if !asked.images.insert((image.tree, from.clone())) {
                continue;
            }
            work.progress.step(&format!("Fetching what is damaged of {}", image.name));
            match self.unpack_again(lease, &image, &from, (menders, work)) {
                Ok(()) => {}
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error @ Error::Full { .. }) => return Err(error),
                Err(error) => {
                    asked.failures.insert(image.name.clone(), error.to_string());
                }
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

    /// Stores all that an image was pulled as once more: only what is not there is written.
    fn unpack_again(
        &self,
        lease: &Lease,
        image: &Image,
        from: &registry::Remote,
        (menders, work): (Menders<'_>, Work<'_>),
    ) -> Result<()> {
        let kept =
            Kept { objects: self.cas.objects(), blobs: &image.blobs, from, ask: menders.ask };
        let blobs = Blobs::Remote(Remote::new(&kept, menders.dir)?);
        let store =
            Store { cas: &self.cas, lease, limits: menders.limits, progress: work.progress };
        let made = store.image(&blobs, &Platform::own(), !image.blobs.is_empty());
        if let Blobs::Remote(remote) = &blobs {
            remote.forget();
        }
        let made = made?;
        if made.tree != image.tree {
            tracing::warn!(image = %image.name, tree = %made.tree, "what was pulled unpacks to another tree by now");
        }
        Ok(())
    }
}

/// Whether an image has something of what is lost. Of one whose tree can't be read nobody knows.
fn has_any(cas: &Cas, image: &Image, lost: &HashSet<Digest>) -> bool {
    let is_lost =
        |tree: crate::cas::Tree| tree.contents().any(|(_, content)| lost.contains(&content.digest));
    lost.contains(&image.tree)
        || image.blobs.iter().any(|blob| lost.contains(&blob.object))
        || cas.tree(&image.tree).is_ok_and(is_lost)
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
