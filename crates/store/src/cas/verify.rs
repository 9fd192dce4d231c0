//! Checking that everything in the store is what its name says, and that everything is there; and getting back what is not.

use super::build::BuildOptions;
use super::index::{Index, Stamp, Stamps};
use super::lease::Collection;
use super::marks::CHECKED;
use super::name::shown;
use super::refs::Found;
use super::sweep::Seen;
use super::tree::each_node;
use super::{Cas, Lease, Objects};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::NodeKind;
use crate::progress::Progress;
use crate::roots::{BadRoot, Form};
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use volt_host::files::{self, LockMode};

/// How many paths of a tree are named that a damaged object touches.
const PATHS: usize = 5;

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Objects that were read.
    pub objects: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
    /// Trees that were read.
    pub trees: u64,
    /// What is amiss, or was.
    pub damages: Vec<Damage>,
    /// What was read, for a repair.
    seen: Seen,
}

/// Something that is not what it should be.
#[derive(Debug, Clone)]
pub struct Damage {
    /// The object, or the file of a ref.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
    /// What it touches.
    pub touches: Vec<Touch>,
    /// Whether it was moved to quarantine.
    pub is_quarantined: bool,
    /// Whether all is well again.
    pub is_repaired: bool,
    /// What would mend it, as far as that is known.
    pub hint: Option<String>,
    object: Option<Digest>,
    /// The root of a tree that it is.
    root: Option<(Digest, Form)>,
}

impl Damage {
    /// Whether it is an object: no root, which is made of objects, and no ref.
    pub(crate) const fn is_object(&self) -> bool {
        self.object.is_some()
    }
}

/// A tree that a damage touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// Its name, or who stands on it.
    pub name: String,
    /// The first paths in it, or the blob that is kept of it; none where it is the whole tree.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
}

/// Who stands on which tree beside refs.
pub type Standing = Vec<(String, Digest)>;

/// Says who stands on trees at this moment. Asked while names are locked: it must not call what locks them.
pub type Stands<'a> = &'a dyn Fn() -> Result<Standing>;

/// Folders that may have what is damaged.
#[derive(Debug, Clone, Copy)]
pub struct Copies<'a> {
    /// Those that somebody has named; where there are none, those that the trees were made of.
    pub named: &'a [PathBuf],
    /// Others, that have single files at best.
    pub beside: &'a [PathBuf],
}

/// Whoever may have what no folder had.
pub(crate) type Others<'a> = &'a dyn Fn(&Lease, HashSet<Digest>) -> Result<()>;

/// A ref as it could be read, by its file.
type ReadRef = (PathBuf, Result<Found>);

/// What is missing or bad, by what touches it, and its size where that is known.
type Needed = BTreeMap<Digest, (Vec<Touch>, Option<u64>)>;

impl Cas {
    /// Reads every object, every tree and every root. Objects that are not what their name says are moved to quarantine. What
    /// is there to stay is asked when that is done: a container may go meanwhile, and its tree with it.
    pub fn verify(&self, stands: Stands<'_>, progress: &dyn Progress) -> Result<Verified> {
        let (mut seen, stamps) = self.objects().read_all(progress)?;
        self.remember(&stamps)?;
        let mut verified = Verified {
            objects: (seen.good.len() + seen.bad.len()) as u64,
            bytes: seen.good.values().sum(),
            ..Verified::default()
        };
        let mut quarantined = HashSet::new();
        for digest in &seen.bad {
            if self.put_away(digest)? {
                quarantined.insert(*digest);
            }
        }
        progress.step("Reading the trees");
        let needed = self.needs(stands, &mut seen, &mut verified, progress)?;
        let unneeded = seen.bad.iter().filter(|digest| !needed.contains_key(*digest));
        for digest in unneeded {
            // Nothing reaches it: in quarantine it harms nobody.
            verified.damages.push(damage(digest, "it is not what its name says", Vec::new(), true));
        }
        for (digest, (touches, _)) in needed {
            let is_bad = seen.bad.contains(&digest);
            let problem = if is_bad { "it is not what its name says" } else { "it is missing" };
            verified.damages.push(damage(&digest, problem, touches, false));
        }
        progress.step("Reading the roots");
        for bad in self.roots().verify(progress)? {
            verified.damages.push(self.damaged_root(&bad, stands)?);
        }
        if !verified.damages.is_empty() {
            self.marks().forget()?;
        }
        for one in &mut verified.damages {
            one.is_quarantined = one.object.is_some_and(|digest| quarantined.contains(&digest));
        }
        verified.seen = seen;
        Ok(verified)
    }

    /// Gets back what a verification found damaged, from folders that may have it, then from others.
    ///
    /// To be called behind [`Cas::verify`], with what that found: what was good then is not read again.
    pub(crate) fn repair(
        &self,
        verified: &mut Verified,
        (copies, others): (Copies<'_>, Others<'_>),
        stands: Stands<'_>,
        progress: &dyn Progress,
    ) -> Result<()> {
        if verified.damages.iter().all(|damage| damage.is_repaired) {
            return Ok(());
        }
        let from = if copies.named.is_empty() { self.sources()? } else { copies.named.to_vec() };
        // After a power cut too: what is damaged must not stand in the way of its repair.
        let lease = self.lease_on_good()?;
        // A tree that is back tells what else is missing.
        for _ in 0..2 {
            let mut ignored = Verified::default();
            let needed = self.needs(stands, &mut verified.seen, &mut ignored, progress)?;
            if needed.is_empty() {
                break;
            }
            progress.step("Looking for what is damaged");
            let is_tree_missing = needed.values().any(|(_, size)| size.is_none());
            for dir in &from {
                self.fetch(&lease, dir, &needed, progress)?;
                if is_tree_missing {
                    self.build(&lease, dir, &BuildOptions::default(), progress)?;
                }
            }
            for dir in copies.beside {
                self.fetch(&lease, dir, &needed, progress)?;
            }
            let mut lost = HashSet::new();
            for digest in needed.into_keys() {
                if self.objects().check(&digest)? != Some(true) {
                    lost.insert(digest);
                }
            }
            if !lost.is_empty() {
                others(&lease, lost)?;
            }
        }
        lease.sync()?;
        for damage in &mut verified.damages {
            if let Some(digest) = damage.object {
                let is_back = self.objects().check(&digest)? == Some(true);
                damage.is_repaired = damage.is_repaired || is_back;
            }
        }
        lease.end()?;
        // What came back is another file: a root of hard links may still have the one that was bad.
        progress.step("Reading the roots");
        for bad in self.roots().verify(progress)? {
            let root = Some((bad.tree, bad.form));
            if verified.damages.iter().all(|damage| damage.root != root) {
                verified.damages.push(self.damaged_root(&bad, stands)?);
            }
        }
        for damage in verified.damages.iter_mut().filter(|damage| !damage.is_repaired) {
            let Some((tree, form)) = damage.root else { continue };
            match self.roots().mend(&tree, form) {
                // What it is made of is still damaged, which is told.
                Err(Error::BadObject { .. } | Error::Corrupt { .. }) => {}
                mended => damage.is_repaired = mended?,
            }
        }
        Ok(())
    }

    /// A root that is not what its tree makes it, with those who have it.
    fn damaged_root(&self, bad: &BadRoot, stands: Stands<'_>) -> Result<Damage> {
        let standing = stands()?;
        let refs = self.refs().all()?;
        let named = refs.iter().map(|named| (named.shown(), named.tree));
        let has = |(_, tree): &(String, Digest)| *tree == bad.tree;
        let paths: Vec<String> = bad.files.iter().take(PATHS).cloned().collect();
        let more = (bad.files.len() - paths.len()) as u64;
        let touch = |(name, _)| Touch { name, paths: paths.clone(), more };
        let touches = named.chain(standing).filter(has).map(touch).collect();
        Ok(Damage {
            subject: format!("the root of {}", bad.tree),
            object: None,
            root: Some((bad.tree, bad.form)),
            ..damage(&bad.tree, "it is not what its tree makes it", touches, false)
        })
    }

    /// What refs and `standing` need and is not there. Refs that can't be read are damages.
    fn needs(
        &self,
        stands: Stands<'_>,
        seen: &mut Seen,
        verified: &mut Verified,
        progress: &dyn Progress,
    ) -> Result<Needed> {
        let objects = self.objects();
        // What loses its name meanwhile is still there until this is over.
        let _no_collection = Collection::begin(&self.tmp())?;
        let mut needed = Needed::new();
        let mut trees: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        let (refs, standing) = self.refs_and_standing(stands)?;
        for (path, read) in refs {
            match read {
                Ok(found) => {
                    trees.entry(found.tree).or_default().push(found.shown());
                    for blob in &found.blobs {
                        if !is_there(&objects, seen, &blob.object)? {
                            let (name, paths) = (found.shown(), vec![blob.digest.clone()]);
                            let (touches, size) = needed.entry(blob.object).or_default();
                            touches.push(Touch { name, paths, more: 0 });
                            *size = Some(blob.size);
                        }
                    }
                }
                Err(error) => {
                    let mut bad = damage(&Digest::of(b""), &error.to_string(), Vec::new(), false);
                    (bad.subject, bad.object) = (path.display().to_string(), None);
                    verified.damages.push(bad);
                }
            }
        }
        for (who, tree) in standing {
            trees.entry(tree).or_default().push(who);
        }
        for (tree, names) in trees {
            verified.trees += 1;
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let whole = |name: &String| Touch { name: name.clone(), paths: Vec::new(), more: 0 };
            if !is_there(&objects, seen, &tree)? {
                needed.entry(tree).or_default().0.extend(names.iter().map(whole));
                continue;
            }
            let mut found: BTreeMap<Digest, (Vec<String>, u64, u64)> = BTreeMap::new();
            let mut failed = None;
            let read = each_node(&objects, &tree, &mut |node| {
                let NodeKind::File(content) = &node.kind else { return };
                match is_there(&objects, seen, &content.digest) {
                    Ok(true) => {}
                    Ok(false) => {
                        let (paths, more, size) = found.entry(content.digest).or_default();
                        *size = content.size;
                        if paths.len() < PATHS {
                            paths.push(shown(&node.path));
                        } else {
                            *more += 1;
                        }
                    }
                    Err(error) => failed = Some(error),
                }
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if let Err(error) = read {
                // The name is right and yet it is no tree: somebody has written a ref to something else.
                let touches = names.iter().map(whole).collect();
                verified.damages.push(damage(&tree, &error.to_string(), touches, false));
                continue;
            }
            for (digest, (paths, more, size)) in found {
                let touch =
                    |name: &String| Touch { name: name.clone(), paths: paths.clone(), more };
                let (touches, known) = needed.entry(digest).or_default();
                touches.extend(names.iter().map(touch));
                *known = Some(size);
            }
        }
        Ok(needed)
    }

    /// All refs, each as it could be read, and who stands on trees: read in this order and under this lock, as by
    /// [`Cas::standing_trees`], so that nobody is missed who passes from one to the other.
    fn refs_and_standing(&self, stands: Stands<'_>) -> Result<(Vec<ReadRef>, Standing)> {
        let _names = self.lock_refs(LockMode::Shared)?;
        Ok((self.refs().each()?, stands()?))
    }

    /// Moves an object that is not what its name says to quarantine. No root is believed then that may have it.
    pub(crate) fn put_away(&self, digest: &Digest) -> Result<bool> {
        let quarantine = self.quarantine();
        files::create_dirs(&quarantine, 0o700)?;
        self.objects().move_if_wrong(digest, &quarantine.join(digest.hex()))
    }

    /// The folders that named trees were made of and that are still there.
    fn sources(&self) -> Result<Vec<PathBuf>> {
        let mut sources: Vec<PathBuf> =
            self.refs().all()?.into_iter().filter_map(|found| found.source).collect();
        sources.sort();
        sources.dedup();
        sources.retain(|dir| dir.is_dir());
        Ok(sources)
    }

    /// Writes down which objects are known to be good, until the host is booted again.
    fn remember(&self, stamps: &Stamps) -> Result<()> {
        files::create_dirs(&self.index_dir(), 0o700)?;
        self.forget_index_of_earlier_boots()?;
        stamps.write(&self.verified_path()?)
    }

    /// Removes what is known of objects and roots since an earlier boot.
    pub(crate) fn forget_index_of_earlier_boots(&self) -> Result<()> {
        let current = [self.verified_path()?, self.marks().dir()?];
        for old in crate::images::entries(&self.index_dir())? {
            let name = old.file_name().unwrap_or_default().to_string_lossy();
            let is_of_a_boot = [VERIFIED, CHECKED].iter().any(|prefix| name.starts_with(prefix));
            if is_of_a_boot && !current.contains(&old) {
                files::remove_tree(&old)?;
            }
        }
        Ok(())
    }

    /// The objects that were read and found good since the host was booted.
    pub fn known_good(&self) -> Result<KnownGood> {
        Ok(KnownGood { index: Index::read(&self.verified_path()?), objects: self.objects() })
    }

    fn verified_path(&self) -> Result<PathBuf> {
        Ok(self.index_dir().join(format!("{VERIFIED}{}", super::lease::boot()?)))
    }
}

/// Objects that were read and found good since the host was booted, each by inode, size and times of its file.
#[derive(Debug)]
pub struct KnownGood {
    index: Index,
    objects: Objects,
}

impl KnownGood {
    /// Whether an object is among them, and still the file that was read.
    #[must_use]
    pub fn has(&self, digest: &Digest) -> bool {
        let stat = rustix::fs::stat(self.objects.path(digest));
        stat.is_ok_and(|stat| self.index.digest(&Stamp::of(&stat)) == Some(*digest))
    }
}

/// How the list of objects is called that were read since the boot.
const VERIFIED: &str = "verified-";

fn is_there(objects: &Objects, seen: &mut Seen, digest: &Digest) -> Result<bool> {
    if seen.good.contains_key(digest) {
        return Ok(true);
    }
    // It came since the objects were read, perhaps in the place of a bad one, or they were not.
    let is_good = objects.check(digest)? == Some(true);
    if is_good {
        seen.good.insert(*digest, 0);
    }
    Ok(is_good)
}

fn damage(object: &Digest, problem: &str, touches: Vec<Touch>, is_repaired: bool) -> Damage {
    Damage {
        subject: object.to_string(),
        problem: problem.to_owned(),
        touches,
        is_quarantined: false,
        is_repaired,
        hint: None,
        object: Some(*object),
        root: None,
    }
}
