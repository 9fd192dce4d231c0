//! Trees there and back over a shelf in memory: what is sent, what is fetched, and what is refused.

use super::*;
use crate::Silent;
use crate::cas::{Cas, Copies, RefKind, TreeName};
use crate::digest::Digest;
use crate::images::{Images, Limits, Menders, Work};
use crate::manifest::{Content, Encoder, Node, NodeKind};
use crate::tree::{EntryPath, Meta};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A registry of one repository.
#[derive(Default)]
struct Memory {
    tag: Mutex<String>,
    blobs: Mutex<BTreeMap<String, Vec<u8>>>,
    manifests: Mutex<BTreeMap<String, Vec<u8>>>,
    read: AtomicU64,
    /// How many more parts of packs are given.
    left: Mutex<Option<u64>>,
    /// What is done before a part is given.
    meanwhile: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Memory {
    fn at(&self, tag: &str) -> &Self {
        tag.clone_into(&mut self.tag.lock().unwrap());
        self
    }

    /// Another one with the same in it.
    fn copy_at(&self, tag: &str) -> Self {
        let copy = Self::default();
        copy.blobs.lock().unwrap().clone_from(&self.blobs.lock().unwrap());
        copy.manifests.lock().unwrap().clone_from(&self.manifests.lock().unwrap());
        tag.clone_into(&mut copy.tag.lock().unwrap());
        copy
    }

    /// Bytes that were read since the last time.
    fn was_read(&self) -> u64 {
        self.read.swap(0, Ordering::SeqCst)
    }
}

impl Shelf for Memory {
    fn place(&self) -> Remote {
        let (host, repository) = ("registry.example".into(), "site".into());
        Remote { host, repository, reference: self.tag.lock().unwrap().clone() }
    }

    fn document(&self, reference: Option<&str>) -> Result<Option<Vec<u8>>> {
        let tag = reference.map_or_else(|| self.tag.lock().unwrap().clone(), str::to_owned);
        Ok(self.manifests.lock().unwrap().get(&tag).cloned())
    }

    fn tags(&self) -> Result<Vec<String>> {
        Ok(self.manifests.lock().unwrap().keys().cloned().collect())
    }

    fn read(&self, digest: &str, _: u64, part: Range<u64>) -> Result<Vec<u8>> {
        let index = |at: u64| usize::try_from(at).unwrap();
        if let Some(left) = self.left.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or(Error::Damaged("it breaks off".into()))?;
        }
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().as_ref() {
            meanwhile();
        }
        self.read.fetch_add(part.end - part.start, Ordering::SeqCst);
        let blobs = self.blobs.lock().unwrap();
        let blob = blobs.get(digest).ok_or(Error::Damaged("there is none".into()))?;
        let part = blob.get(index(part.start)..index(part.end));
        part.map(<[u8]>::to_vec).ok_or(Error::Damaged("it is not that long".into()))
    }

    fn send(&self, blobs: &[ReadyBlob], _: &dyn Progress) -> Result<u64> {
        let mut sent = 0;
        for blob in blobs {
            let mut bytes = Vec::new();
            blob.source.open(0).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, blob.size);
            assert_eq!(BlobDigest::of(&bytes).to_string(), blob.digest);
            if self.blobs.lock().unwrap().insert(blob.digest.clone(), bytes).is_none() {
                sent += blob.size;
            }
        }
        Ok(sent)
    }

    fn publish(&self, _: &str, manifest: &[u8]) -> Result<String> {
        let tag = self.tag.lock().unwrap().clone();
        self.manifests.lock().unwrap().insert(tag, manifest.to_vec());
        Ok(String::new())
    }
}

/// A store of its own.
struct Side {
    dir: tempfile::TempDir,
    cas: Cas,
}

fn nobody() -> Result<Vec<Digest>> {
    Ok(Vec::new())
}

impl Side {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::open(&dir.path().join("lib"));
        Self { dir, cas }
    }

    fn push(&self, shelf: &Memory, tree: &str) -> Result<PushedTree> {
        let (cache, stages) = (self.dir.path().join("cache"), self.dir.path().join("tmp"));
        let tree = &tree.parse().unwrap();
        self.cas.push_tree(TreePush { tree, shelf, cache: &cache, stages: &stages }, &Silent)
    }

    fn pull(&self, shelf: &Memory, name: &str, limit: u64) -> Result<PulledTree> {
        let name: &TreeName = &name.parse().unwrap();
        let cache = &self.dir.path().join("cache");
        self.cas.pull_tree(TreePull { shelf, name, limit, cache, wanted: &nobody }, &Silent)
    }

    /// Stores a manifest under a name, as no writer of ours makes it.
    fn store_manifest(&self, name: &str, bytes: &[u8]) -> Digest {
        let lease = self.cas.lease(&nobody).unwrap();
        let tree = self.cas.objects().put_bytes(&lease, bytes).unwrap().digest;
        let value = serde_json::json!({ "tree": tree.to_string() });
        self.cas.refs().write(RefKind::Manifests, name, &value).unwrap();
        lease.end().unwrap();
        tree
    }

    /// Stores a folder with these files.
    fn store(&self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Digest {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let name = &name.parse().unwrap();
        self.cas.store(folder.path(), name, &nobody, &Silent).unwrap().tree
    }

    fn is_whole(&self) {
        let verified = self.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap();
        assert!(verified.damages.is_empty(), "{:?}", verified.damages);
    }
}

/// Bytes that don't repeat.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files: BTreeMap<String, Vec<u8>> =
        (0..300_u64).map(|number| (format!("small-{number}"), bytes(number + 2, 2000))).collect();
    files.insert("large".into(), bytes(1, 6 << 20));
    files.insert("empty".into(), Vec::new());
    files.insert("zeros".into(), vec![0; 3 << 20]);
    files
}

#[test]
fn only_what_is_missing_goes_either_way() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    let mut files = files();
    let first = here.store("site", &files);
    let pushed = here.push(shelf.at("1"), "site").unwrap();
    assert!(pushed.sent > 6 << 20 && pushed.tree == first && pushed.present == 0, "{pushed:?}");
    assert!(shelf.blobs.lock().unwrap().len() <= 6);
    let again = here.push(shelf.at("1"), "site").unwrap();
    assert_eq!(again.sent, 0, "{again:?}");

    shelf.was_read();
    let pulled = there.pull(shelf.at("1"), "copy", u64::MAX).unwrap();
    assert_eq!((pulled.tree, pulled.entries), (first, 304));
    assert!(pulled.fetched < 8 << 20 && shelf.was_read() < 8 << 20);
    there.is_whole();
    let pulled = there.pull(shelf.at("1"), "copy", u64::MAX).unwrap();
    assert_eq!((pulled.fetched, shelf.was_read()), (0, 0));

    // A small file, and some bytes in the middle of a large one.
    files.insert("small-7".into(), bytes(999, 2000));
    files.get_mut("large").unwrap().splice(3_000_000..3_000_000, *b"put in");
    let second = here.store("site", &files);
    let pushed = here.push(shelf.at("2"), "site").unwrap();
    assert!(pushed.sent < 2 << 20 && pushed.present > 5 << 20, "{pushed:?}");
    shelf.was_read();
    let pulled = there.pull(shelf.at("2"), "copy", u64::MAX).unwrap();
    assert_eq!(pulled.tree, second);
    assert!(pulled.fetched < 2 << 20 && shelf.was_read() < 3 << 20, "{pulled:?}");
    there.is_whole();
    // Nothing stays behind but what the names stand for.
    there.cas.collect(&nobody).unwrap();
    there.is_whole();
    assert_eq!(there.pull(shelf.at("1"), "one", u64::MAX).unwrap().tree, first);
}

#[test]
fn packs_of_which_little_is_needed_are_made_anew() {
    let (here, shelf) = (Side::new(), Memory::default());
    let mut files = files();
    here.store("site", &files);
    here.push(shelf.at("1"), "site").unwrap();
    // Most of it goes.
    files.retain(|name, _| name.starts_with("small-1"));
    here.store("site", &files);
    let pushed = here.push(shelf.at("2"), "site").unwrap();
    assert_eq!(pushed.present, 0);
    // A hundred versions have not a hundred packs.
    for number in 0..40 {
        files.insert(format!("new-{number}"), bytes(10_000 + number, 3000));
        here.store("site", &files);
        here.push(shelf.at("2"), "site").unwrap();
    }
    let manifest = shelf.document(None).unwrap().unwrap();
    assert!(artifact::Artifact::parse(&manifest).unwrap().packs.len() <= 20);
    let there = Side::new();
    there.pull(&shelf, "copy", u64::MAX).unwrap();
    there.is_whole();
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let (here, shelf) = (Side::new(), Memory::default());
    let mut few = files();
    few.retain(|name, _| name.starts_with("small-1"));
    few.insert("large".into(), bytes(1, 1_500_000));
    here.store("site", &few);
    here.push(shelf.at("1"), "site").unwrap();
    let whole = shelf.blobs.lock().unwrap().clone();
    let fails = |what: &str| {
        let there = Side::new();
        let error = there.pull(&shelf, "copy", u64::MAX).unwrap_err();
        assert!(matches!(error, Error::Damaged(_)), "{what}: {error}");
        let refs = there.cas.list().unwrap();
        assert!(refs.is_empty(), "{what}: {refs:?}");
    };
    for (digest, bytes) in &whole {
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            shelf.blobs.lock().unwrap().get_mut(digest).unwrap()[at] ^= 1;
            fails(digest);
            shelf.blobs.lock().unwrap().clone_from(&whole);
        }
    }
    let error = Side::new().pull(&shelf, "copy", 1 << 20).unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
    let error = Side::new().pull(shelf.at("none"), "copy", u64::MAX).unwrap_err();
    assert_eq!(error.kind(), volt_model::kind::ErrorKind::NotFound);
    // Documents that lie.
    let manifest = String::from_utf8(shelf.manifests.lock().unwrap()["1"].clone()).unwrap();
    for (from, to) in [
        ("\"schemaVersion\":2", "\"schemaVersion\":3"),
        ("tree.index.v1", "tree.pack.v1"),
        ("tree.recipes.v1", "tree.index.v1"),
        ("\"size\":", "\"size\":9"),
    ] {
        let lie = manifest.replacen(from, to, 1).into_bytes();
        assert_ne!(lie, manifest.as_bytes());
        shelf.manifests.lock().unwrap().insert("1".into(), lie);
        let error = Side::new().pull(shelf.at("1"), "copy", u64::MAX).map(|p| p.tree);
        assert!(error.is_err(), "{to}");
    }
    // What is no tree of files is told so, and is in nobody's way.
    shelf.manifests.lock().unwrap().insert("1".into(), b"{}".to_vec());
    let error = Side::new().pull(&shelf, "copy", u64::MAX).unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    here.push(&shelf, "site").unwrap();
    // A damaged object never leaves.
    let object = here.cas.objects().path(&Digest::of(&few["small-1"]));
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, vec![0; 2000]).unwrap();
    let empty = Memory::default();
    let error = here.push(empty.at("1"), "site").unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(empty.manifests.lock().unwrap().is_empty());
}

#[test]
fn no_tree_brings_attributes_that_steer_the_host() {
    for name in ["security.selinux", "security.SMACK64", "trusted.overlay.opaque"] {
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        for (path, xattrs) in [("", Vec::new()), ("labelled", vec![(name.into(), b"x".to_vec())])] {
            let path = EntryPath::parse(path.as_bytes()).unwrap_or_default();
            let meta = Meta { xattrs, ..Meta::default() };
            encoder.put(&Node { path, kind: NodeKind::Directory, meta }).unwrap();
        }
        let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
        here.store_manifest("site", &encoder.finish().unwrap());
        here.push(shelf.at("1"), "site").unwrap();
        let error = there.pull(&shelf, "copy", u64::MAX).unwrap_err().to_string();
        assert!(error.contains("labelled") && error.contains(name), "{error}");
        assert!(there.cas.list().unwrap().is_empty());
    }
}

#[test]
fn nothing_is_published_that_nobody_pulls() {
    let key = || (BlobDigest::of(b""), 0);
    let of = |packs: usize| {
        let packs = (0..packs).map(|_| artifact::PackOf::new(key(), key())).collect();
        artifact::Artifact::new(key(), key(), packs).encode()
    };
    assert!(artifact::Artifact::parse(&of(2000).unwrap()).is_ok());
    assert!(matches!(of(2001), Err(Error::Unsupported { .. })));
}

#[test]
fn lists_that_cannot_be_kept_are_in_nobodys_way() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    here.store("site", &files());
    for side in [&here, &there] {
        std::fs::write(side.dir.path().join("cache"), "").unwrap();
    }
    here.push(shelf.at("1"), "site").unwrap();
    there.pull(&shelf, "copy", u64::MAX).unwrap();
    here.push(shelf.at("1"), "site").unwrap();
    there.is_whole();
}

#[test]
fn what_was_fetched_of_a_large_file_is_not_fetched_again() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    here.store("site", &BTreeMap::from([("large".into(), bytes(1, 90 << 20))]));
    here.push(shelf.at("1"), "site").unwrap();
    // The lists, the manifest, and less than half of the packs.
    *shelf.left.lock().unwrap() = Some(3 + 2 + 1 + 2);
    there.pull(&shelf, "copy", u64::MAX).unwrap_err();
    *shelf.left.lock().unwrap() = None;
    let came = shelf.was_read();
    assert!(came > 16 << 20 && came < 60 << 20, "{came}");
    // One that has rotted since is fetched.
    let mut rotten = None;
    let objects = there.cas.objects();
    let mut look = |digest| {
        rotten = Some(digest).filter(|chunk| objects.size(chunk).unwrap() > 64 << 10).or(rotten);
        Ok(())
    };
    objects.each(&mut look).unwrap();
    let path = objects.path(&rotten.unwrap());
    let mut contents = std::fs::read(&path).unwrap();
    contents[0] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, contents).unwrap();
    let pulled = there.pull(&shelf, "copy", u64::MAX).unwrap();
    assert!(pulled.fetched < (92 << 20) - came + (20 << 20), "{came} {pulled:?}");
    there.is_whole();
    let mut left = 0;
    let mut count = |_| {
        left += 1;
        Ok(())
    };
    there.cas.objects().each(&mut count).unwrap();
    assert_eq!(left, 2, "only the file and the manifest stay");
}

#[test]
fn what_helps_stays_though_its_name_goes() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    let mut files = files();
    here.store("site", &files);
    here.push(shelf.at("1"), "site").unwrap();
    there.pull(&shelf, "copy", u64::MAX).unwrap();
    files.get_mut("large").unwrap().splice(3_000_000..3_000_000, *b"put in");
    let second = here.store("site", &files);
    here.push(shelf.at("2"), "site").unwrap();
    // The lists are read before anything is counted on.
    let lists = there.dir.path().join("cache");
    let of = artifact::Artifact::parse(&shelf.document(None).unwrap().unwrap()).unwrap();
    for list in of.packs.iter().map(|of| &of.index).chain([&of.about, &of.recipes]) {
        small(&shelf, &lists, list.key()).unwrap();
    }
    shelf.was_read();
    let (cas, copy) = (there.cas.clone(), "copy".parse().unwrap());
    let reads = AtomicU64::new(0);
    let take_away = move || {
        // The first part has the manifest, by which is known what helps.
        if reads.fetch_add(1, Ordering::SeqCst) == 1 {
            cas.forget(&copy).unwrap();
            assert!(cas.collect(&nobody).unwrap().objects > 0);
        }
    };
    *shelf.meanwhile.lock().unwrap() = Some(Box::new(take_away));
    let pulled = there.pull(&shelf, "copy", u64::MAX).unwrap();
    assert_eq!(pulled.tree, second);
    assert!(pulled.fetched < 2 << 20, "{pulled:?}");
    there.is_whole();
}

#[test]
fn what_is_damaged_is_fetched_again_as_it_was() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    let mut files = files();
    let first = here.store("site", &files);
    here.push(shelf.at("1"), "site").unwrap();
    there.pull(&shelf, "copy", u64::MAX).unwrap();
    let document = shelf.document(None).unwrap().unwrap();
    // By its digest: the tag means something else meanwhile.
    let digest = BlobDigest::of(&document).to_string();
    shelf.manifests.lock().unwrap().insert(digest.clone(), document);
    files.insert("small-7".into(), bytes(999, 2000));
    here.store("site", &files);
    here.push(&shelf, "site").unwrap();
    let objects = there.cas.objects();
    let paths = [first, Digest::of(&bytes(9, 2000)), Digest::of(&bytes(1, 6 << 20))];
    for path in paths.map(|object| objects.path(&object)) {
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "rotten").unwrap();
    }
    let images = Images::open(&there.dir.path().join("lib"), true);
    let mend = |is_there: bool| {
        let mut verified = there.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap();
        let ask_tree = |remote: &Remote| -> Result<Box<dyn Shelf>> {
            assert_eq!(remote.to_string(), format!("registry.example/site@{digest}"));
            match is_there {
                true => Ok(Box::new(shelf.copy_at(&remote.reference))),
                false => Err(Error::Damaged("nobody is there".into())),
            }
        };
        let menders = Menders {
            copies: Copies { named: &[], beside: &[] },
            ask: &|_| unreachable!("no image was pulled"),
            ask_tree: &ask_tree,
            dir: &there.dir.path().join("blobs"),
            lists: &there.dir.path().join("cache"),
            limits: Limits::default(),
        };
        let work = Work { wanted: &nobody, progress: &Silent };
        images.mend(&mut verified, menders, &|| Ok(Vec::new()), work).unwrap();
        verified.damages
    };
    let hint = mend(false).into_iter().find_map(|damage| damage.hint).unwrap();
    let command = format!("`volt cas pull --ref copy registry.example/site@{digest}`");
    assert!(hint.contains(&command) && hint.contains("nobody is there"), "{hint}");
    let damages = mend(true);
    assert!(!damages.is_empty() && damages.iter().all(|one| one.is_repaired), "{damages:?}");
    there.is_whole();
    assert_eq!(there.cas.list().unwrap()[0].tree, first);
}

/// Who wants nothing any more after a moment.
struct Impatient(std::time::Instant);

impl Progress for Impatient {
    fn step(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        self.0.elapsed() > std::time::Duration::from_millis(300)
    }
}

#[test]
fn a_vast_file_keeps_nobody_waiting() {
    let (here, there, shelf) = (Side::new(), Side::new(), Memory::default());
    here.store("site", &BTreeMap::from([("large".into(), bytes(1, 2 << 20))]));
    here.push(shelf.at("1"), "site").unwrap();
    // Hours of zeros, by a name that they don't have.
    let vast = Digest::of(b"vast");
    let size = 4 << 40;
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    let kind = NodeKind::File(Content { size, digest: vast, segments: Vec::new() });
    for (path, kind) in [("", NodeKind::Directory), ("large", kind)] {
        let path = EntryPath::parse(path.as_bytes()).unwrap_or_default();
        encoder.put(&Node { path, kind, meta: Meta::default() }).unwrap();
    }
    there.store_manifest("copy", &encoder.finish().unwrap());
    std::fs::File::create(there.cas.objects().path(&vast)).unwrap().set_len(size).unwrap();
    let (cache, stages) = (there.dir.path().join("cache"), there.dir.path().join("tmp"));
    let (cache, stages) = (&*cache, &*stages);
    let (tree, name) = (&"copy".parse().unwrap(), &"copy".parse().unwrap());
    let push = TreePush { tree, shelf: &shelf, cache, stages };
    let pull = TreePull { shelf: &shelf, name, limit: u64::MAX, cache, wanted: &nobody };
    let begun = std::time::Instant::now();
    let soon = || Impatient(std::time::Instant::now());
    let verified = there.cas.verify(&|| Ok(Vec::new()), &soon());
    assert!(matches!(verified, Err(Error::Cancelled)));
    let pushed = there.cas.push_tree(push, &soon());
    assert!(matches!(pushed, Err(Error::Cancelled)), "{pushed:?}");
    let pulled = there.cas.pull_tree(pull, &soon());
    assert!(matches!(pulled, Err(Error::Cancelled)), "{pulled:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}
