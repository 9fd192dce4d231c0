//! From a registry to the store: those parts of packs that have what is not here.

use super::artifact::{About, Artifact, PackOf};
use super::fetch::{Fetch, Places, Wanted};
use super::index::{self, Frame};
use super::recipes;
use super::{CHUNK, ENTRIES, LISTS, Shelf, TREE, small};
use crate::cas::{Cas, Lease, Manifest, RefKind, Tree, TreeName, Wanted as Standing};
use crate::digest::Digest;
use crate::error::{Error, Result, printable};
use crate::oci::BlobDigest;
use crate::progress::Progress;
use crate::tree::{EntryPath, keeps_xattr};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use volt_model::registry::Remote;

/// What to pull.
#[derive(Clone, Copy)]
pub struct TreePull<'a> {
    /// Where from.
    pub shelf: &'a dyn Shelf,
    /// What to call it. A name that is taken passes to it.
    pub name: &'a TreeName,
    /// The most that its files may be together, in bytes.
    pub limit: u64,
    /// Where small lists lie that were read before.
    pub cache: &'a Path,
    /// What containers stand on.
    pub wanted: Standing<'a>,
}

impl std::fmt::Debug for TreePull<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TreePull({})", self.name)
    }
}

/// A tree that was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledTree {
    /// The tree.
    pub tree: Digest,
    /// How many entries it has.
    pub entries: u64,
    /// The sizes of its files together, in bytes; what has several names counts once.
    pub size: u64,
    /// Bytes of packs that were fetched.
    pub fetched: u64,
}

impl Cas {
    /// Fetches a tree and calls it by a name: only what is not here. When this returns, all of it is on disk. What was fetched before
    /// an error stays until the next collection, and is not fetched again.
    pub fn pull_tree(&self, pull: TreePull<'_>, progress: &dyn Progress) -> Result<PulledTree> {
        let (shelf, wanted) = (pull.shelf, pull.wanted);
        self.tidy(wanted)?;
        progress.step("Asking what is there");
        let (artifact, from) = ask(shelf)?;
        let lease = self.lease(wanted)?;
        let fetched = self.fetch_tree(&lease, pull, artifact, progress);
        if let Err(Error::Full { .. }) = &fetched {
            // A disk that is full has better uses for half a tree.
            drop(lease);
            drop(self.collect(wanted));
            return fetched.map(|(pulled, _)| pulled);
        }
        progress.step("Writing it to disk");
        // Half a tree too: nobody builds upon what a power cut has halved.
        lease.sync()?;
        let named = fetched.and_then(|(pulled, has_chunks)| match progress.cancelled() {
            true => Err(Error::Cancelled),
            false => self.name_pulled(pull.name, &pulled, from).map(|()| (pulled, has_chunks)),
        });
        lease.end()?;
        let (pulled, has_chunks) = named?;
        if has_chunks && let Err(error) = self.collect(wanted) {
            tracing::warn!(%error, "chunks that large files were made of remain as garbage");
        }
        Ok(pulled)
    }

    /// Fetches what is not here of a tree that was pulled, under a lease: nothing is named.
    pub(crate) fn fetch_tree_again(
        &self,
        lease: &Lease,
        pull: TreePull<'_>,
        progress: &dyn Progress,
    ) -> Result<Digest> {
        let (artifact, _) = ask(pull.shelf)?;
        self.fetch_tree(lease, pull, artifact, progress).map(|(pulled, _)| pulled.tree)
    }

    fn name_pulled(&self, name: &TreeName, pulled: &PulledTree, from: Remote) -> Result<()> {
        let named = Manifest {
            version: 1,
            name: name.as_str(),
            tree: pulled.tree.to_string(),
            created: jiff::Timestamp::now(),
            source: None,
            pulled: Some(from),
        };
        self.refs().write(RefKind::Manifests, &name.encoded(), &named)
    }

    /// Fetches it, under a lease. Whether there are chunks beside it that nothing reaches.
    fn fetch_tree(
        &self,
        lease: &Lease,
        pull: TreePull<'_>,
        artifact: Artifact,
        progress: &dyn Progress,
    ) -> Result<(PulledTree, bool)> {
        let TreePull { shelf, name, cache, .. } = pull;
        let about = About::parse(&small(shelf, cache, artifact.about.key())?)?;
        let recipes = recipes::decode(&small(shelf, cache, artifact.recipes.key())?)?;
        let packs = read_indexes(shelf, cache, artifact.packs)?;
        let old = self.old_tree(name);
        let mut fetch = Fetch {
            cas: self,
            lease,
            shelf,
            packs: &packs,
            recipes: &recipes,
            places: &Places::new(),
            limit: TREE,
            progress,
        };
        let mut fetched = 0;
        let objects = self.objects();
        let whole = objects.check(&about.tree)?;
        if whole == Some(false) {
            // Else what is fetched would find it there.
            self.put_away(&about.tree)?;
        }
        let is_here = whole == Some(true)
            && objects.pin_all(lease, &[(about.tree, objects.size(&about.tree)?)])?.is_empty();
        if !is_here {
            let one = Wanted { object: about.tree, size: None, meta: None };
            let needed = std::slice::from_ref(&one);
            let donors = match &old {
                // One that is gone by now is of no help.
                Some(old) => objects
                    .size(&old.digest)
                    .ok()
                    .map(|size| (old.digest, size))
                    .into_iter()
                    .collect(),
                None => Vec::new(),
            };
            let places = self.places(lease, &donors, (needed, &recipes), progress)?;
            fetched += Fetch { places: &places, ..fetch }.all(needed)?;
        }
        let tree = self.tree_of_at_most(&about.tree, ENTRIES)?;
        refuse_steering(&tree)?;
        fetch.limit = pull.limit;
        let missing = self.missing(&tree, lease)?;
        let donors = donors(&tree, old.as_ref(), &missing);
        let places = self.places(lease, &donors, (&missing, &recipes), progress)?;
        fetched += Fetch { places: &places, ..fetch }.all(&missing)?;
        let size = tree.contents().map(|(_, content)| content.size).sum();
        let entries = tree.nodes.len() as u64;
        let has_chunks = !recipes.is_empty() && (!is_here || !missing.is_empty());
        Ok((PulledTree { tree: tree.digest, entries, size, fetched }, has_chunks))
    }

    /// The tree that a name stands for now, where it can be read.
    fn old_tree(&self, name: &TreeName) -> Option<Tree> {
        let pointer = format!("manifests/{name}").parse().ok()?;
        self.tree(&self.resolve(&pointer).ok()?).ok()
    }

    /// What is in a tree and not here, each once; what is here is counted on.
    fn missing(&self, tree: &Tree, lease: &Lease) -> Result<Vec<Wanted>> {
        let objects = self.objects();
        let all: Vec<_> =
            tree.contents().map(|(_, content)| (content.digest, content.size)).collect();
        let mut gone = objects.pin_all(lease, &all)?;
        let mut missing = Vec::new();
        for (node, content) in tree.contents() {
            if !gone.remove(&content.digest) {
                continue;
            }
            if content.size == 0 {
                objects.put_bytes_of(lease, b"", Some(&node.meta))?;
                continue;
            }
            let meta = Some(node.meta.clone());
            missing.push(Wanted { object: content.digest, size: Some(content.size), meta });
        }
        Ok(missing)
    }

    /// Where chunks that are needed are in local objects, which stay while the lease lives: they are read only when all else has come.
    fn places(
        &self,
        lease: &Lease,
        donors: &[(Digest, u64)],
        (needed, recipes): (&[Wanted], &recipes::Recipes),
        progress: &dyn Progress,
    ) -> Result<Places> {
        let chunks: HashSet<&Digest> =
            needed.iter().filter_map(|one| recipes.get(&one.object)).flatten().collect();
        let mut places = Places::new();
        if chunks.is_empty() {
            return Ok(places);
        }
        let gone = self.objects().pin_all(lease, donors)?;
        for donor in donors.iter().map(|(donor, _)| *donor).filter(|donor| !gone.contains(donor)) {
            let mut at = 0;
            let mut found = Vec::new();
            let cut = self.cut_object(&donor, &mut |bytes| {
                if progress.cancelled() {
                    return Err(Error::Cancelled);
                }
                let (chunk, length) = (Digest::of(bytes), bytes.len() as u64);
                if chunks.contains(&chunk) {
                    found.push((chunk, (donor, at, length)));
                }
                at += length;
                Ok(())
            });
            match cut {
                Ok(()) => places.extend(found),
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                // What is damaged here is fetched.
                Err(error) => tracing::warn!(%error, "a local file is of no help"),
            }
        }
        Ok(places)
    }
}

/// What the registry has, and where that is whatever its tag means later.
fn ask(shelf: &dyn Shelf) -> Result<(Artifact, Remote)> {
    let Some(document) = shelf.document(None)? else {
        let reason = "the registry has no such tree".to_owned();
        return Err(Error::Elsewhere { reason, kind: volt_model::kind::ErrorKind::NotFound });
    };
    if !Artifact::is_one(&document) {
        let text = "what the registry has of this name is no tree of files: is it an image?";
        return Err(Error::Invalid(text.into()));
    }
    let from = shelf.place().at(BlobDigest::of(&document).as_str());
    Ok((Artifact::parse(&document)?, from))
}

/// Refuses attributes that no archive may bring either: roots would set them on files of this host.
fn refuse_steering(tree: &Tree) -> Result<()> {
    for node in &tree.nodes {
        if let Some((name, _)) = node.meta.xattrs.iter().find(|(name, _)| !keeps_xattr(name)) {
            let reason = format!("it has the attribute {}", printable(name));
            return Err(Error::refused(node.path.as_bytes(), reason));
        }
    }
    Ok(())
}

/// The local files that are likely to have parts of what is missing: the large ones at the same paths of the old tree.
fn donors(tree: &Tree, old: Option<&Tree>, missing: &[Wanted]) -> Vec<(Digest, u64)> {
    let missing: HashSet<Digest> = missing.iter().map(|one| one.object).collect();
    let Some(old) = old else { return Vec::new() };
    let before: HashMap<&EntryPath, (Digest, u64)> = old
        .contents()
        .filter(|(_, content)| content.size > CHUNK)
        .map(|(node, content)| (&node.path, (content.digest, content.size)))
        .collect();
    let changed = tree.contents().filter(|(_, content)| missing.contains(&content.digest));
    let mut all: Vec<(Digest, u64)> =
        changed.filter_map(|(node, _)| before.get(&node.path).copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Reads the indexes of packs, all of them within bounds.
fn read_indexes(
    shelf: &dyn Shelf,
    cache: &Path,
    packs: Vec<PackOf>,
) -> Result<Vec<(PackOf, Vec<Frame>)>> {
    let mut lists = 0_u64;
    let mut read = Vec::new();
    for of in packs {
        lists = lists.saturating_add(of.index.size);
        if lists > LISTS {
            return Err(Error::Damaged("the lists of what is in its packs are too long".into()));
        }
        let bytes = small(shelf, cache, of.index.key())?;
        let frames = index::decode(&bytes, Some(of.pack.size))?;
        read.push((of, frames));
    }
    Ok(read)
}
