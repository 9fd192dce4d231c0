//! Storing folders under names and getting them back: whole, or not silently.

use crate::cas::lease::Collection;
use crate::cas::objects::CHECKS;
use crate::cas::{Cas, Copies, Difference, Pointer, TreeName, Verified};
use crate::digest::Digest;
use crate::manifest::{Encoder, Node, NodeKind};
use crate::tree::{EntryPath, Meta};
use crate::{Error, Progress, Silent};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn nobody() -> crate::Result<Vec<Digest>> {
    Ok(Vec::new())
}

fn pointer(text: &str) -> Pointer {
    text.parse().unwrap()
}

struct Store {
    dir: tempfile::TempDir,
    cas: Cas,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::open(&dir.path().join("lib"));
        Self { dir, cas }
    }

    fn from(&self) -> PathBuf {
        self.dir.path().join("from")
    }

    /// A folder with some of everything.
    fn fill(&self) -> PathBuf {
        let from = self.from();
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/one"), "one").unwrap();
        fs::write(from.join("a/b/two"), "two").unwrap();
        fs::write(from.join("a.b"), "beside").unwrap();
        fs::write(from.join("large"), vec![7; 9 << 20]).unwrap();
        fs::hard_link(from.join("a/one"), from.join("three")).unwrap();
        symlink("/a/./b", from.join("link")).unwrap();
        symlink("../x", from.join("a/dangling")).unwrap();
        for (name, size, at) in [("holes", 10 << 20, 5 << 20), ("tail", 6 << 20, 0)] {
            let sparse = fs::File::create(from.join(name)).unwrap();
            sparse.set_len(size).unwrap();
            sparse.write_at(b"data", at).unwrap();
        }
        fs::File::create(from.join("hollow")).unwrap().set_len(8 << 20).unwrap();
        fs::set_permissions(from.join("a/one"), fs::Permissions::from_mode(0o4755)).unwrap();
        from
    }

    fn build(&self, dir: &Path, name: &str) -> Digest {
        let name: TreeName = name.parse().unwrap();
        self.cas.store(dir, &name, &nobody, &Silent).unwrap().tree
    }

    fn cat(&self, name: &str, path: &str) -> crate::Result<Vec<u8>> {
        let mut out = Vec::new();
        self.cas.cat(&pointer(name), path, &mut out)?;
        Ok(out)
    }

    fn export(&self, name: &str) -> crate::Result<Vec<u8>> {
        let mut out = Vec::new();
        self.cas.export(&pointer(name), &mut out, &Silent)?;
        Ok(out)
    }

    fn object(&self, bytes: &[u8]) -> PathBuf {
        self.cas.objects().path(&Digest::of(bytes))
    }

    fn verify(&self) -> Verified {
        self.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap()
    }

    fn repair(&self, verified: &mut Verified, from: &[PathBuf]) {
        let copies = Copies { named: from, beside: &[] };
        self.cas.repair(verified, (copies, &|_, _| Ok(())), &|| Ok(Vec::new()), &Silent).unwrap();
    }
}

fn break_object(path: &Path, how: &str) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    match how {
        "flip" => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(path, bytes).unwrap();
        }
        "cut" => fs::write(path, &bytes[..bytes.len() - 1]).unwrap(),
        _ => fs::remove_file(path).unwrap(),
    }
}

/// Of so few bytes that a hundred MiB of it would be gigabytes in memory.
#[test]
fn a_tree_of_somebody_else_fits_into_memory() {
    let store = Store::new();
    let pair = |number: u16| (format!("user.{number:04}").into_bytes(), Vec::new());
    let xattrs: Vec<_> = (0..4096).map(pair).collect();
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    for number in 0..1300 {
        let name = if number == 0 { String::new() } else { format!("{number:04}") };
        let path = EntryPath::parse(name.as_bytes()).unwrap_or_default();
        let meta = Meta { xattrs: xattrs.clone(), ..Meta::default() };
        encoder.put(&Node { path, kind: NodeKind::Directory, meta }).unwrap();
    }
    let lease = store.cas.lease(&nobody).unwrap();
    let manifest = encoder.finish().unwrap();
    let tree = store.cas.objects().put_bytes(&lease, &manifest).unwrap().digest;
    let error = store.cas.tree_of_at_most(&tree, 1_000_000).unwrap_err();
    assert!(matches!(error, Error::Damaged(_)), "{error}");
}

#[test]
fn what_was_built_is_listed_and_read() {
    let store = Store::new();
    let tree = store.build(&store.fill(), "root");
    let list = store.cas.list().unwrap();
    assert_eq!((list.len(), list[0].name.as_str(), list[0].tree), (1, "root", tree));
    assert_eq!(list[0].source.as_deref(), Some(&*store.from().canonicalize().unwrap()));
    let status = store.cas.status().unwrap();
    let logical = 3 + 3 + 6 + (9 << 20) + (10 << 20) + (6 << 20) + (8 << 20);
    assert_eq!((status.trees, status.logical, status.broken), (1, logical, 0));
    assert!(status.on_disk < 12 << 20, "holes stay holes: {status:?}");
    for (path, want) in
        [("a/one", "one"), ("/three", "one"), ("link/two", "two"), ("./a.b", "beside")]
    {
        assert_eq!(store.cat("root", path).unwrap(), want.as_bytes(), "{path}");
    }
    assert_eq!(store.cat(&format!("stellarium://{tree}"), "large").unwrap(), vec![7; 9 << 20]);
    assert_eq!(store.cas.tree_of_at_most(&tree, 13).unwrap().nodes.len(), 13);
    let refused = store.cas.tree_of_at_most(&tree, 12).unwrap_err().to_string();
    assert!(refused.contains("13 entries, more than 12"), "{refused}");
    let object = format!("stellarium://{}", Digest::of(b"beside"));
    assert_eq!(store.cat(&object, "").unwrap(), b"beside");
    assert_eq!(store.cat(&tree.to_string(), "").unwrap()[..9], *b"volt-tree");
    let none = format!("stellarium://{}", Digest::of(b"none"));
    assert!(store.cat(&none, "").is_err() && store.cat("root", "").is_err());
    let hollow = store.cat("root", "holes").unwrap();
    assert_eq!((hollow.len(), &hollow[5 << 20..(5 << 20) + 4]), (10 << 20, &b"data"[..]));
    for missing in ["no", "a/one/x", "a/dangling", "../x/y"] {
        assert!(matches!(store.cat("root", missing), Err(Error::NoEntry(_))), "{missing}");
    }
    assert!(matches!(store.cat("root", "a"), Err(Error::Invalid(_))));
    assert!(matches!(store.cat("nor", "a"), Err(Error::NoTree(_))));
    let names = |path: &str, all| -> Vec<String> {
        let entries = store.cas.ls(&pointer("root"), path, all).unwrap();
        entries.into_iter().map(|entry| entry.path).collect()
    };
    assert_eq!(names("a", false), ["a/b", "a/dangling", "a/one"]);
    assert_eq!(names("a", true), ["a/b", "a/b/two", "a/dangling", "a/one"]);
    assert_eq!(names("link", false), ["link"]);
    assert_eq!(names("/", false).len(), 8);
    let three = &store.cas.ls(&pointer("root"), "three", false).unwrap()[0];
    assert_eq!((three.same_as.as_deref(), three.mode), (Some("a/one"), 0o4755));
}

#[test]
fn trees_are_compared_and_what_they_share_is_counted() {
    let store = Store::new();
    let from = store.fill();
    store.build(&from, "one");
    fs::write(from.join("a/b/two"), "owt").unwrap();
    fs::remove_file(from.join("large")).unwrap();
    fs::write(from.join("new"), "new").unwrap();
    fs::set_permissions(from.join("a.b"), fs::Permissions::from_mode(0o600)).unwrap();
    store.build(&from, "two");
    let changes = store.cas.diff(&pointer("one"), &pointer("two")).unwrap();
    let of = |path: &str| changes.iter().find(|c| c.path == path).map(|c| c.what.clone());
    assert_eq!(of("a/b/two"), Some(Difference::Changed(vec!["content", "time"])));
    assert_eq!(of("large"), Some(Difference::Removed));
    assert_eq!(of("new"), Some(Difference::Added));
    assert_eq!(of("a.b"), Some(Difference::Changed(vec!["mode"])));
    assert_eq!(of("a/one"), None);
    assert!(store.cas.diff(&pointer("one"), &pointer("one")).unwrap().is_empty());
    let dedup = store.cas.dedup().unwrap();
    // one, beside, holes, tail, hollow.
    assert_eq!((dedup.trees, dedup.pairs.len(), dedup.pairs[0].files), (2, 1, 5));
    assert_eq!(dedup.logical - dedup.once, dedup.pairs[0].bytes);
    store.cas.forget(&pointer("one")).unwrap();
    assert!(!store.cas.known_good().unwrap().has(&Digest::of(b"one")));
    let object = store.object(b"one");
    fs::set_permissions(&object, fs::Permissions::from_mode(0o644)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(60));
    store.verify();
    let known = store.cas.known_good().unwrap();
    assert!(known.has(&Digest::of(b"one")));
    fs::write(&object, "eno").unwrap();
    assert!(!known.has(&Digest::of(b"one")), "it was written to since");
    fs::write(&object, "one").unwrap();
    assert!(store.cas.forget(&pointer("one")).is_err());
    let swept = store.cas.collect(&nobody).unwrap();
    assert_eq!((swept.objects, swept.bytes > 9 << 20), (3, true));
    assert!(store.verify().damages.is_empty());
}

#[test]
fn a_tree_goes_out_and_comes_back_the_same() {
    let store = Store::new();
    let tree = store.build(&store.fill(), "root");
    let bytes = store.export("root").unwrap();
    assert_eq!(bytes, store.export("root").unwrap());
    let back = store.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    fs::write(store.dir.path().join("x.tar"), &bytes).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the archiver that people have")]
    let done = std::process::Command::new("tar")
        .args(["-xpf", "../x.tar"])
        .current_dir(&back)
        .status()
        .unwrap();
    assert!(done.success());
    let again = store.build(&back, "back");
    let changes = store.cas.diff(&pointer("root"), &pointer("back")).unwrap();
    assert_eq!(again, tree, "{changes:?}");
}

#[test]
fn what_is_damaged_never_leaves_silently_and_is_repaired() {
    for how in ["flip", "cut", "remove"] {
        for contents in [b"one".to_vec(), vec![7; 9 << 20]] {
            let store = Store::new();
            let from = store.fill();
            let tree = store.build(&from, "root");
            let object = store.object(&contents);
            break_object(&object, how);
            let path = if contents.len() == 3 { "a/one" } else { "large" };
            let error = store.cat("root", path).unwrap_err().to_string();
            assert!(error.contains(path) && error.contains("damaged"), "{how}: {error}");
            assert!(matches!(store.export("root"), Err(Error::Corrupt { .. })), "{how}");
            let mut found = store.verify();
            assert_eq!(found.damages.len(), 1, "{how} {found:?}");
            let damage = &found.damages[0];
            assert_eq!(damage.touches[0].name, "root");
            assert!(damage.touches[0].paths.contains(&path.to_owned()));
            assert_eq!((damage.is_quarantined, damage.is_repaired), (how != "remove", false));
            assert!(!object.exists());
            // Nothing goes while it is wanted and lost.
            assert_eq!(store.cas.collect(&nobody).unwrap().objects, 0);
            store.repair(&mut found, &[]);
            assert!(found.damages[0].is_repaired, "{how}");
            assert!(store.verify().damages.is_empty());
            store.export("root").unwrap();
            assert_eq!(store.cas.resolve(&pointer("root")).unwrap(), tree);
            assert_eq!(store.cas.collect(&nobody).unwrap().objects, u64::from(how != "remove"));
            assert_eq!(store.cas.status().unwrap().quarantined, 0);
        }
    }
}

#[test]
fn a_damaged_tree_is_named_keeps_all_it_may_need_and_comes_back() {
    for how in ["flip", "cut", "remove"] {
        let store = Store::new();
        let tree = store.build(&store.fill(), "root");
        break_object(&store.cas.objects().path(&tree), how);
        assert!(store.cat("root", "a/one").is_err());
        assert!(store.cas.collect(&nobody).is_err(), "{how}: what it reaches is not known");
        assert!(store.cas.garbage(&nobody).is_err());
        assert_eq!(store.cas.list().unwrap()[0].size, None);
        let mut found = store.verify();
        assert_eq!(found.damages.len(), 1);
        assert_eq!(found.damages[0].touches[0].paths, Vec::<String>::new());
        if how == "cut" {
            // A power cut before: nothing is removed, and all the same it can be repaired.
            let lease = "lib/cas/tmp/lease-00000000000000000000000000000000-1-0";
            fs::write(store.dir.path().join(lease), "").unwrap();
            store.cas.lease(&nobody).unwrap().end().unwrap();
        }
        // Somewhere that has nothing of it.
        let elsewhere = store.dir.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        store.repair(&mut found, &[elsewhere]);
        assert!(!found.damages[0].is_repaired);
        store.repair(&mut found, &[]);
        assert!(found.damages[0].is_repaired, "{how}");
        assert!(store.verify().damages.is_empty());
        assert_eq!(store.cat("root", "a/one").unwrap(), b"one");
    }
}

/// Hashing takes minutes, in which containers and what only they had may go.
#[test]
fn what_goes_while_all_is_read_is_no_damage() {
    struct Deletes<'a>(&'a Cas, Cell<bool>);
    impl Progress for Deletes<'_> {
        fn step(&self, step: &str) {
            if step == "Reading the trees" {
                self.1.set(false);
                assert!(self.0.collect(&nobody).unwrap().objects > 0);
            }
        }
        fn bytes(&self, _: u64, _: Option<u64>) {}
        fn cancelled(&self) -> bool {
            false
        }
    }
    let store = Store::new();
    let tree = store.build(&store.fill(), "root");
    store.cas.forget(&pointer("root")).unwrap();
    let progress = Deletes(&store.cas, Cell::new(true));
    let stands = || {
        let is_there = progress.1.get();
        Ok(is_there.then(|| ("container web".to_owned(), tree)).into_iter().collect())
    };
    let found = store.cas.verify(&stands, &progress).unwrap();
    assert!(found.damages.is_empty() && found.objects > 0, "{found:?}");
}

#[test]
fn what_a_killed_command_left_is_found_and_goes() {
    let store = Store::new();
    store.build(&store.fill(), "root");
    let tmp = store.dir.path().join("lib/cas/tmp");
    let boot = crate::cas::lease::boot().unwrap();
    fs::write(tmp.join("object-4000001-1"), "half").unwrap();
    fs::write(tmp.join(format!("lease-{boot}-4000001-0")), "").unwrap();
    let living = store.cas.lease(&nobody).unwrap();
    let mine = tmp.join(format!("object-{}-77", std::process::id()));
    fs::write(&mine, "under way").unwrap();
    assert_eq!(store.cas.leftovers().unwrap().len(), 2);
    store.cas.tidy(&nobody).unwrap();
    assert!(store.cas.leftovers().unwrap().is_empty());
    assert!(mine.exists());
    drop(living);
    assert_eq!(store.cas.leftovers().unwrap().len(), 2);
    // Of an earlier boot: what was not yet on disk then may be broken.
    fs::write(tmp.join("lease-00000000000000000000000000000000-1-0"), "").unwrap();
    store.cas.tidy(&nobody).unwrap();
    assert!(store.cas.leftovers().unwrap().is_empty());
    assert!(store.verify().damages.is_empty());
}

#[test]
fn the_store_is_not_stored_in_itself() {
    let store = Store::new();
    store.build(&store.fill(), "root");
    let name: TreeName = "self".parse().unwrap();
    for dir in [store.dir.path().to_owned(), store.dir.path().join("lib/cas/objects")] {
        assert!(store.cas.store(&dir, &name, &nobody, &Silent).is_err(), "{dir:?}");
    }
}

#[test]
fn a_repair_reads_nothing_that_was_good() {
    let store = Store::new();
    store.build(&store.fill(), "root");
    break_object(&store.object(b"one"), "flip");
    let mut found = store.verify();
    CHECKS.set(0);
    store.repair(&mut found, &[]);
    assert!(found.damages[0].is_repaired);
    assert!(CHECKS.get() <= 5, "{} were read", CHECKS.get());
}

#[test]
fn whoever_stores_waits_for_no_collection() {
    let store = Store::new();
    store.build(&store.fill(), "root");
    let tmp = store.dir.path().join("lib/cas/tmp");
    let _collection = Collection::begin(&tmp).unwrap();
    let boot = crate::cas::lease::boot().unwrap();
    fs::write(tmp.join(format!("lease-{boot}-4000001-0")), "").unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let cas = store.cas.clone();
    std::thread::spawn(move || done.send(cas.tidy(&nobody).is_ok()));
    assert_eq!(is_done.recv_timeout(std::time::Duration::from_secs(10)), Ok(true));
}
