//! Roots of both forms against the trees they are made from, by mounting them.

use super::{Form, Roots};
use crate::cas::{Cas, Copies, RefKind};
use crate::digest::Digest;
use crate::manifest::{Content, Device, Encoder, Node, NodeKind};
use crate::tree::tests::{Seen, furnish, is_root, look, set_mtime};
use crate::tree::{EntryPath, Meta, Time};
use crate::{Error, Silent};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use volt_host::mounts::{IdMap, Layer, MountAttributes, Overlay, UserNamespace, overlay_root};

fn nobody() -> crate::Result<Vec<Digest>> {
    Ok(Vec::new())
}

/// The environment variable under which a test runs itself in a mount namespace of its own, which takes its mounts with it.
const INSIDE: &str = "VOLT_TEST_INSIDE";

fn inside(test: &str) -> bool {
    in_own_namespace(&format!("roots::tests::{test}"))
}

/// True where the test of that path is to go on: as root, in a mount namespace of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "tests run themselves in mount namespaces of their own"
)]
pub(crate) fn in_own_namespace(test: &str) -> bool {
    if !is_root() {
        println!("SKIPPED: needs root");
        return false;
    }
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--include-ignored", test])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "no such test");
    false
}

/// Roots that are made without being read: what is looked at here is the form.
trait Make {
    fn image(&self, tree: &Digest) -> crate::Result<PathBuf>;
    fn links(&self, tree: &Digest) -> crate::Result<PathBuf>;
}

impl Make for Roots {
    fn image(&self, tree: &Digest) -> crate::Result<PathBuf> {
        self.check_manifest(tree)?;
        if !self.image_path(tree).exists() {
            self.make_image(tree)?;
        }
        Ok(self.image_path(tree))
    }

    fn links(&self, tree: &Digest) -> crate::Result<PathBuf> {
        if !self.links_path(tree).exists() {
            self.make_links(tree)?;
        }
        Ok(self.links_path(tree))
    }
}

/// A store with room for overlays beside it.
struct Place {
    dir: tempfile::TempDir,
    cas: Cas,
}

impl Place {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    fn on(dir: tempfile::TempDir) -> Self {
        // Whoever is root only in a user namespace has to come through.
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["from", "upper", "work", "root", "lib"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let cas = Cas::open(&dir.path().join("lib"));
        Self { dir, cas }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn roots(&self) -> Roots {
        self.cas.roots()
    }

    /// Stores a folder under the name `tree`.
    fn build(&self, from: &Path) -> Digest {
        self.build_as(from, "tree")
    }

    fn build_as(&self, from: &Path, name: &str) -> Digest {
        let lease = self.cas.lease(&nobody).unwrap();
        let tree = self.cas.build(&lease, from, &Default::default(), &Silent).unwrap().tree;
        lease.sync().unwrap();
        let value = json!({ "tree": tree.to_string() });
        self.cas.refs().write(RefKind::Manifests, name, &value).unwrap();
        lease.end().unwrap();
        tree
    }

    /// Stores a manifest, and the contents of the files in it.
    fn put(&self, nodes: &[Node], contents: &[&[u8]]) -> Digest {
        let lease = self.cas.lease(&nobody).unwrap();
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        for node in nodes {
            encoder.put(node).unwrap();
        }
        let objects = self.cas.objects();
        for content in contents {
            objects.put_bytes(&lease, content).unwrap();
        }
        objects.put_bytes(&lease, &encoder.finish().unwrap()).unwrap().digest
    }

    fn mount(&self, layer: Layer<'_>, idmap: Option<IdMap>) -> PathBuf {
        let target = self.at("root");
        let (upper, work) = (self.at("upper"), self.at("work"));
        overlay_root(&Overlay {
            lower: &[layer],
            writable: Some((&upper, &work)),
            target: &target,
            idmap,
            attributes: MountAttributes::MOUNT_ATTR_NODEV,
            source: "volt",
        })
        .unwrap();
        target
    }

    fn mount_image(&self, tree: &Digest, idmap: Option<IdMap>) -> PathBuf {
        let image = self.roots().image(tree).unwrap();
        let objects = self.roots().objects_dir();
        self.mount(Layer::Image { image: &image, objects: &objects }, idmap)
    }

    /// All objects with what must never change about them.
    fn objects(&self) -> BTreeMap<Digest, (u32, u32, u64, i64, i64)> {
        let objects = self.cas.objects();
        let mut all = BTreeMap::new();
        objects
            .each(&mut |digest| {
                assert_eq!(objects.check(&digest)?, Some(true), "{digest}");
                let data = fs::metadata(objects.path(&digest)).unwrap();
                let times = (data.mtime(), data.mtime_nsec());
                all.insert(digest, (data.mode(), data.uid(), data.nlink(), times.0, times.1));
                Ok(())
            })
            .unwrap();
        all
    }
}

/// What `furnish` makes, and what only roots find hard.
fn furnish_all(root: &Path) {
    furnish(root);
    let many = root.join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..10_000 {
        let content = if number % 100 == 0 { format!("{number}") } else { String::new() };
        fs::write(many.join(format!("{number}-{}", "x".repeat(number % 60))), content).unwrap();
    }
    let dots = root.join("dots");
    fs::create_dir(&dots).unwrap();
    // Some of these come before `.` and `..`.
    for name in [&b"!"[..], b"-", b"...", b"..a", b".a", b"/a", b"a", b"\x01", b"\xff"] {
        fs::write(dots.join(OsStr::from_bytes(name.strip_prefix(b"/").unwrap_or(name))), name)
            .unwrap();
    }
    for length in [4000, 4031, 4032, 4033, 4095] {
        let target = "t".repeat(length);
        std::os::unix::fs::symlink(target, root.join(format!("link-{length}"))).unwrap();
    }
    for (name, kind, device) in [
        ("null", FileType::CharacterDevice, (1, 3)),
        ("disk", FileType::BlockDevice, (259, 1_048_575)),
        ("far", FileType::CharacterDevice, (4095, 70_000)),
    ] {
        let number = rustix::fs::makedev(device.0, device.1);
        rustix::fs::mknodat(CWD, root.join(name), kind, Mode::RUSR, number).unwrap();
    }
    fs::File::create(root.join("vast")).unwrap().set_len(1 << 26).unwrap();
    rustix::fs::setxattr(&many, "user.large", &[b'v'; 3500], rustix::fs::XattrFlags::empty())
        .unwrap();
    set_mtime(&many, 5_000_000_000, 1);
}

/// Devices by their numbers, and how many names there are of what is no folder.
fn numbers(root: &Path, seen: &BTreeMap<OsString, Seen>) -> Vec<(OsString, u64, u64, u64)> {
    let of = |path: &OsString| {
        let data = fs::symlink_metadata(root.join(path)).unwrap();
        let names = if data.is_dir() { 0 } else { data.nlink() };
        (path.clone(), data.rdev(), names, if data.is_dir() { 0 } else { data.len() })
    };
    seen.keys().map(of).collect()
}

/// Without what an overlay shows of its writable layer: the attributes of the root.
fn below(root: &Path) -> BTreeMap<OsString, Seen> {
    let mut seen = without_blocks(look(root));
    seen.remove(OsStr::new(""));
    seen
}

fn without_blocks(mut seen: BTreeMap<OsString, Seen>) -> BTreeMap<OsString, Seen> {
    seen.values_mut().for_each(|seen| seen.blocks = None);
    seen
}

fn assert_same(one: &BTreeMap<OsString, Seen>, two: &BTreeMap<OsString, Seen>) {
    let names = |seen: &BTreeMap<OsString, Seen>| seen.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(two));
    for (path, seen) in one {
        assert_eq!(seen, &two[path], "{}", path.display());
    }
}

#[expect(clippy::disallowed_methods, reason = "another reader of the format judges the image")]
fn fsck(image: &Path) {
    match std::process::Command::new("fsck.erofs").arg(image).output() {
        Err(error) => println!("SKIPPED: fsck.erofs (Debian package erofs-utils): {error}"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

#[test]
fn an_image_has_every_attribute() {
    if !inside("an_image_has_every_attribute") {
        return;
    }
    let place = Place::new();
    furnish_all(&place.at("from"));
    let tree = place.build(&place.at("from"));
    let image = place.roots().image(&tree).unwrap();
    fsck(&image);
    assert_eq!(place.roots().check_image(&tree).unwrap(), Some(true));
    let root = place.mount_image(&tree, None);
    let (wanted, found) = (below(&place.at("from")), below(&root));
    assert_eq!(numbers(&place.at("from"), &wanted), numbers(&root, &found));
    assert_same(&wanted, &found);
    // Made once, and the same each time.
    let made = fs::metadata(&image).unwrap();
    assert_eq!(fs::metadata(place.roots().image(&tree).unwrap()).unwrap().ino(), made.ino());
    assert!(made.len() < 3 << 20, "{} bytes", made.len());
    fs::write(&image, b"x").unwrap();
    assert_eq!(place.roots().check_image(&tree).unwrap(), Some(false));
}

#[test]
fn hard_links_have_every_attribute() {
    if !inside("hard_links_have_every_attribute") {
        return;
    }
    let place = Place::new();
    furnish_all(&place.at("from"));
    let tree = place.build(&place.at("from"));
    let links = place.roots().links(&tree).unwrap();
    let wanted = without_blocks(look(&place.at("from")));
    assert_same(&wanted, &without_blocks(look(&links)));
    assert_eq!(fs::metadata(links.join("vast")).unwrap().blocks(), 0);
    assert_eq!(numbers(&place.at("from"), &wanted), numbers_but_variants(&place, &links, &wanted));
    let root = place.mount(Layer::Folder(&links), None);
    assert_same(&below(&links), &below(&root));
    let check = || {
        let nodes = place.roots().nodes(&tree).unwrap();
        super::links::check(nodes, &links, &super::links::has_contents).unwrap()
    };
    assert!(check().is_empty());
    fs::remove_file(links.join("dots/!")).unwrap();
    fs::write(links.join("many/0-"), "changed").unwrap();
    assert_eq!(check(), ["dots/!", "many/0-"]);
}

/// As `numbers`, without the one name that a file has as an object or a variant.
fn numbers_but_variants(
    place: &Place,
    root: &Path,
    seen: &BTreeMap<OsString, Seen>,
) -> Vec<(OsString, u64, u64, u64)> {
    let below = |dir: PathBuf| look(&dir).into_keys().map(move |path| dir.join(path));
    let paths = below(place.at("lib/cas/variants")).chain(below(place.at("lib/cas/objects")));
    let inodes: Vec<u64> = paths.map(|path| fs::metadata(path).unwrap().ino()).collect();
    let mut all = numbers(root, seen);
    for (path, _, names, _) in &mut all {
        let data = fs::symlink_metadata(root.join(path)).unwrap();
        *names -= u64::from(inodes.contains(&data.ino()) && data.is_file());
    }
    all
}

#[test]
fn two_trees_share_variants_and_a_sweep_takes_what_is_left() {
    if !inside("two_trees_share_variants_and_a_sweep_takes_what_is_left") {
        return;
    }
    let place = Place::new();
    let from = place.at("from");
    for name in ["same", "other"] {
        fs::write(from.join(name), "content").unwrap();
        set_mtime(&from.join(name), 1, 0);
    }
    fs::set_permissions(from.join("other"), PermissionsExt::from_mode(0o4755)).unwrap();
    let one = place.build(&from);
    fs::write(from.join("added"), "more").unwrap();
    let two = place.build(&from);
    let (first, second) = (place.roots().links(&one).unwrap(), place.roots().links(&two).unwrap());
    let inode = |path: PathBuf| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(first.join("same")), inode(second.join("same")));
    assert_ne!(inode(first.join("same")), inode(first.join("other")));
    let image = place.roots().image(&one).unwrap();
    let keep = || Ok([one].into());
    let swept = place.roots().sweep(&keep).unwrap();
    // `same` and `added` are objects themselves.
    assert_eq!((swept.roots, swept.variants), (1, 0));
    assert!(first.is_dir() && image.exists() && !second.exists());
    let held = place.roots().assemble(&one, Form::Image).unwrap();
    let nobody = || Ok([].into());
    assert_eq!(place.roots().sweep(&nobody).unwrap().roots, 0, "it is being mounted");
    drop(held);
    let swept = place.roots().sweep(&nobody).unwrap();
    assert_eq!((swept.roots, swept.variants), (2, 1));
    assert!(!first.exists() && !image.exists());
    // What was killed on the way is swept, and locks nothing.
    fs::create_dir_all(place.at("lib/cas/roots/tmp/root-dead/rootfs/a")).unwrap();
    let root = place.roots().assemble(&two, Form::Links).unwrap();
    assert!(root.path.join("added").exists());
    assert!(!place.at("lib/cas/roots/tmp/root-dead").exists());
}

#[test]
fn what_is_corrupt_or_missing_is_an_error() {
    if !inside("what_is_corrupt_or_missing_is_an_error") {
        return;
    }
    let place = Place::new();
    fs::write(place.at("from/kept"), "kept").unwrap();
    fs::write(place.at("from/lost"), "lost").unwrap();
    fs::write(place.at("from/bad"), "bad").unwrap();
    let tree = place.build(&place.at("from"));
    let objects = place.cas.objects();
    let bad = objects.path(&Digest::of(b"bad"));
    fs::set_permissions(&bad, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&bad, "dab").unwrap();
    for form in [Form::Image, Form::Links] {
        let error = place.roots().assemble(&tree, form).unwrap_err();
        let is_named =
            |object: &Digest, entry: &str| *object == Digest::of(b"bad") && entry == "bad";
        assert!(
            matches!(&error, Error::BadObject { object, entry, more: 0, .. } if is_named(object, entry)),
            "{error}"
        );
    }
    let error = place.roots().copy(&tree, &place.at("copy")).unwrap_err();
    assert!(matches!(&error, Error::Corrupt { path, .. } if *path == bad), "{error}");
    fs::remove_file(objects.path(&Digest::of(b"lost"))).unwrap();
    let error = place.roots().assemble(&tree, Form::Image).unwrap_err();
    assert!(error.to_string().contains("one more of the same tree"), "{error}");
    let root = place.mount_image(&tree, None);
    assert_eq!(fs::read_to_string(root.join("kept")).unwrap(), "kept");
    assert_eq!(fs::metadata(root.join("lost")).unwrap().len(), 4);
    let error = fs::read(root.join("lost")).unwrap_err();
    // Linux 6.18 says that the file is not there, others that it can't be read.
    let number = rustix::io::Errno::from_io_error(&error);
    assert!(matches!(number, Some(rustix::io::Errno::IO | rustix::io::Errno::NOENT)), "{error}");
    let left = fs::read_dir(place.at("lib/cas/roots/tmp")).unwrap().flatten();
    assert_eq!(left.filter(|entry| entry.file_name() != ".gate").count(), 0);
    // A manifest that is not what it was makes no root.
    let manifest = objects.path(&tree);
    fs::set_permissions(&manifest, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&manifest, b"volt-tree 1\n.").unwrap();
    fs::remove_file(place.roots().image_path(&tree)).unwrap();
    assert!(matches!(place.roots().image(&tree), Err(Error::Corrupt { .. })));
}

#[test]
fn a_root_is_read_once_after_a_boot_and_made_again_where_it_is_damaged() {
    if !inside("a_root_is_read_once_after_a_boot_and_made_again_where_it_is_damaged") {
        return;
    }
    let place = Place::new();
    for name in ["one", "two"] {
        fs::write(place.at("from").join(name), name).unwrap();
    }
    // The same again, so that it has a variant.
    fs::write(place.at("from/again"), "one").unwrap();
    for name in ["one", "again"] {
        set_mtime(&place.at("from").join(name), 1, 0);
    }
    let tree = place.build(&place.at("from"));
    let reboot = || place.cas.marks().forget().unwrap();
    for form in [Form::Image, Form::Links] {
        let assemble = || place.roots().assemble(&tree, form).map(|root| root.path.clone());
        let path = assemble().unwrap();
        let bad = if form == Form::Image { path.clone() } else { path.join("one") };
        fs::write(&bad, "xxx").unwrap();
        assert!(assemble().is_ok(), "it was read since the boot");
        reboot();
        if form == Form::Links {
            // It is the object or the variant that was written to.
            let object = place.cas.objects().path(&Digest::of(b"one"));
            if fs::read(&object).unwrap() != b"one" {
                assert!(matches!(assemble(), Err(Error::BadObject { .. })));
                assert!(!object.exists() && place.cas.status().unwrap().quarantined == 1);
                let lease = place.cas.lease(&nobody).unwrap();
                place.cas.objects().put_bytes(&lease, b"one").unwrap();
            }
        }
        assemble().unwrap();
        if form == Form::Links {
            assert_eq!(fs::read(path.join("one")).unwrap(), b"one");
            assert_eq!(fs::read(path.join("again")).unwrap(), b"one");
        } else {
            assert_eq!(place.roots().check_image(&tree).unwrap(), Some(true));
        }
    }
    // A variant that is bad while its object is good.
    let root = place.roots().links_path(&tree);
    let variants = look(&place.at("lib/cas/variants"));
    for path in variants.keys().map(|path| place.at("lib/cas/variants").join(path)) {
        if path.is_file() {
            fs::write(path, "yyy").unwrap();
        }
    }
    reboot();
    drop(place.roots().assemble(&tree, Form::Links).unwrap());
    assert_eq!(fs::read(root.join("again")).unwrap(), b"one");
    // A verification that finds a damage has everything read again.
    let two = place.cas.objects().path(&Digest::of(b"two"));
    drop(place.roots().assemble(&tree, Form::Image).unwrap());
    fs::remove_file(&two).unwrap();
    assert!(place.roots().assemble(&tree, Form::Image).is_ok());
    assert!(!place.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap().damages.is_empty());
    assert!(matches!(place.roots().assemble(&tree, Form::Image), Err(Error::BadObject { .. })));
}

/// What workloads read is not the objects alone: variants, and the copies that are a root's own.
#[test]
fn a_verification_reads_roots_and_mends_them_where_they_are() {
    if !inside("a_verification_reads_roots_and_mends_them_where_they_are") {
        return;
    }
    let place = Place::new();
    fs::create_dir(place.at("from/etc")).unwrap();
    fs::write(place.at("from/etc/own"), "one").unwrap();
    fs::write(place.at("from/first"), "one").unwrap();
    // It has a variant, of which there are two names.
    fs::write(place.at("from/second"), "one").unwrap();
    set_mtime(&place.at("from/second"), 1, 0);
    fs::hard_link(place.at("from/second"), place.at("from/third")).unwrap();
    // And the object has attributes that none of them has.
    let lease = place.cas.lease(&nobody).unwrap();
    place.cas.objects().put_bytes(&lease, b"one").unwrap();
    let tree = place.build(&place.at("from"));
    let root = place.roots().links(&tree).unwrap();
    drop(place.roots().assemble(&tree, Form::Image).unwrap());
    let image = place.roots().image_path(&tree);
    let standing = || Ok(vec![("container web".to_owned(), tree)]);
    let verify = || place.cas.verify(&standing, &Silent).unwrap();
    assert!(verify().damages.is_empty());
    let (inode, before) = (fs::metadata(&root).unwrap().ino(), without_blocks(look(&root)));
    let bad = ["etc/own", "second"];
    for path in bad {
        let data = fs::metadata(root.join(path)).unwrap();
        fs::set_permissions(root.join(path), PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(root.join(path), "xxx").unwrap();
        set_mtime(&root.join(path), data.mtime(), data.mtime_nsec());
    }
    fs::set_permissions(&image, PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(&image, "x").unwrap();
    let mut found = verify();
    let mut named: Vec<_> = found.damages.iter().map(|damage| &damage.touches).collect();
    named.sort_by_key(|touches| touches[0].paths.len());
    let names: Vec<_> = named[1].iter().map(|touch| touch.name.as_str()).collect();
    assert_eq!((named.len(), &names[..]), (2, &["tree", "container web"][..]), "{found:?}");
    assert!(named[0][0].paths.is_empty() && named[1][0].paths == bad, "{found:?}");
    let copies = Copies { named: &[], beside: &[] };
    place.cas.repair(&mut found, (copies, &|_, _| Ok(())), &standing, &Silent).unwrap();
    assert!(found.damages.iter().all(|damage| damage.is_repaired), "{found:?}");
    assert!(verify().damages.is_empty());
    assert_same(&before, &without_blocks(look(&root)));
    assert_eq!(fs::read(root.join("third")).unwrap(), b"one");
    assert_eq!(fs::metadata(&root).unwrap().ino(), inode, "containers stand on it");
    assert_eq!(place.roots().check_image(&tree).unwrap(), Some(true));
}

/// A file system that lets files share data, of this image of a disk; why there is none here.
#[expect(clippy::disallowed_methods, reason = "file systems are made and mounted by programs")]
fn shares_data(disk: &Path, at: &Path) -> Result<(), String> {
    let run = |program: &str, arguments: &[&OsStr]| {
        let done = std::process::Command::new(program).args(arguments).output();
        let done = done.map_err(|error| format!("{program}: {error}"))?;
        let text = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(text) }
    };
    fs::File::create(disk).unwrap().set_len(512 << 20).unwrap();
    fs::create_dir(at).unwrap();
    run("mkfs.xfs", &["-q".as_ref(), "-m".as_ref(), "reflink=1".as_ref(), disk.as_ref()])?;
    run("mount", &["-o".as_ref(), "loop".as_ref(), disk.as_ref(), at.as_ref()])
}

#[test]
fn variants_share_their_data_where_the_file_system_can() {
    if !inside("variants_share_their_data_where_the_file_system_can") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("at");
    if let Err(reason) = shares_data(&dir.path().join("disk"), &at) {
        println!("SKIPPED: no XFS here: {reason}");
        return;
    }
    let place = Place::on(tempfile::tempdir_in(&at).unwrap());
    let bytes: Vec<u8> = (0..16_u32 << 20).map(|n| (n % 251).to_le_bytes()[0]).collect();
    for (name, mode) in [("one", 0o644), ("two", 0o600), ("three", 0o755)] {
        fs::write(place.at("from").join(name), &bytes).unwrap();
        fs::set_permissions(place.at("from").join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let tree = place.build(&place.at("from"));
    let free = || {
        rustix::fs::syncfs(fs::File::open(&at).unwrap()).unwrap();
        rustix::fs::statvfs(&at).map(|stat| stat.f_bfree * stat.f_frsize).unwrap()
    };
    let before = free();
    drop(place.roots().assemble(&tree, Form::Links).unwrap());
    let root = place.roots().links_path(&tree);
    assert!(before - free() < 4 << 20, "two variants of 16 MiB have taken no place of their own");
    for (name, mode) in [("one", 0o644), ("two", 0o600), ("three", 0o755)] {
        let data = fs::metadata(root.join(name)).unwrap();
        assert_eq!((data.mode() & 0o7777, data.len()), (mode, 16 << 20));
        assert!(fs::read(root.join(name)).unwrap() == bytes);
    }
    // What is written to a variant is its own: the object stays as it is.
    fs::write(root.join("two"), "x").unwrap();
    assert_eq!(place.cas.objects().check(&Digest::of(&bytes)).unwrap(), Some(true));
    let mut found = place.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap();
    let copies = Copies { named: &[], beside: &[] };
    place.cas.repair(&mut found, (copies, &|_, _| Ok(())), &|| Ok(Vec::new()), &Silent).unwrap();
    assert!(found.damages.len() == 1 && found.damages[0].is_repaired, "{found:?}");
    assert!(fs::read(root.join("two")).unwrap() == bytes && before - free() < 4 << 20);
}

/// An object that is bad is bad in all roots that have it for a file.
#[test]
fn what_is_known_to_be_damaged_reaches_nobody_by_another_root() {
    if !inside("what_is_known_to_be_damaged_reaches_nobody_by_another_root") {
        return;
    }
    let place = Place::new();
    let assemble = |tree: &Digest| place.roots().assemble(tree, Form::Links).map(drop);
    let trees = ["a", "b"].map(|name| {
        let from = place.at("from").join(name);
        fs::create_dir(&from).unwrap();
        fs::write(from.join("name"), name).unwrap();
        fs::write(from.join("shared"), "shared").unwrap();
        set_mtime(&from.join("shared"), 1, 0);
        place.build_as(&from, name)
    });
    let object = place.cas.objects().path(&Digest::of(b"shared"));
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    let shared = trees.map(|tree| place.roots().links_path(&tree).join("shared"));
    let rot = || {
        fs::set_permissions(&object, PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(&object, "sharks").unwrap();
    };
    assemble(&trees[0]).unwrap();
    assert_eq!(inode(&shared[0]), inode(&object), "it is the object itself");
    rot();
    assert!(matches!(assemble(&trees[1]), Err(Error::BadObject { .. })));
    assert!(!object.exists() && place.cas.status().unwrap().quarantined == 1);
    assert!(matches!(assemble(&trees[0]), Err(Error::BadObject { .. })), "it has the same file");
    let lease = place.cas.lease(&nobody).unwrap();
    place.cas.objects().put_bytes(&lease, b"shared").unwrap();
    trees.iter().for_each(|tree| assemble(tree).unwrap());
    assert!(shared.iter().all(|path| fs::read(path).unwrap() == b"shared"));
    // One that comes back by a repair is another file than the one that roots have.
    fs::remove_file(&object).unwrap();
    fs::remove_dir_all(place.at("lib/cas/roots")).unwrap();
    place.build_as(&place.at("from/a"), "a");
    trees.iter().for_each(|tree| assemble(tree).unwrap());
    assert_eq!(inode(&shared[0]), inode(&object));
    rot();
    let stands = || Ok(vec![("container web".to_owned(), trees[0])]);
    let mut found = place.cas.verify(&stands, &Silent).unwrap();
    let copies = Copies { named: &[place.at("from/b")], beside: &[] };
    place.cas.repair(&mut found, (copies, &|_, _| Ok(())), &stands, &Silent).unwrap();
    assert!(found.damages.iter().all(|damage| damage.is_repaired), "{found:?}");
    let roots = found.damages.iter().filter(|damage| !damage.is_object()).count();
    assert!(roots == 2 && shared.iter().all(|path| fs::read(path).unwrap() == b"shared"));
    assert!(place.cas.verify(&stands, &Silent).unwrap().damages.is_empty());
}

/// Everything that may be done to a file, by whoever is root in a user namespace only.
const ATTACK: &str = r#"
cd "$1" || exit 1
test "$(id -u)" = 0 || exit 2
find . -xdev -type f -size -100k | while IFS= read -r f; do
  cat "$f" > /dev/null || exit 3
  chmod u+w "$f"; chown 5:5 "$f"; touch "$f"
  printf x | dd of="$f" conv=notrunc status=none
  printf x >> "$f"; truncate -s 1 "$f"; truncate -s 5000 "$f"
  ln "$f" "$f.second"; mv "$f" "$f.moved"; printf y > "$f.second"
  fallocate -p -o 0 -l 4096 "$f.moved" 2>/dev/null
  rm "$f.second"
done
mkdir new && echo mine > new/file && mv usr away && cat new/file
rm -rf ./* || exit 4
"#;

#[test]
fn nothing_that_root_does_inside_reaches_an_object() {
    if !inside("nothing_that_root_does_inside_reaches_an_object") {
        return;
    }
    let place = Place::new();
    let from = place.at("from");
    furnish(&from);
    // Ids that the map has not are nobody's inside, even its root's.
    std::os::unix::fs::chown(from.join("listed"), Some(1), Some(1)).unwrap();
    let tree = place.build(&from);
    let (map, base) = (IdMap::of(1 << 19), 1 << 19);
    let layers =
        [(place.roots().image(&tree).unwrap(), true), (place.roots().links(&tree).unwrap(), false)];
    let (before, source) = (place.objects(), without_blocks(look(&layers[1].0)));
    for (path, is_image) in layers {
        let objects = place.roots().objects_dir();
        let layer = if is_image {
            Layer::Image { image: &path, objects: &objects }
        } else {
            Layer::Folder(&path)
        };
        let root = place.mount(layer, Some(map));
        let owner = |name: &str| fs::symlink_metadata(root.join(name)).unwrap().uid();
        assert_eq!(
            (owner("usr"), owner("closed"), owner("dangling")),
            (base, base + 1234, base + 33)
        );
        attack(&root, map);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "the attack did all it does");
        assert_eq!(place.objects(), before);
        volt_host::mounts::unmount_all(&root, volt_host::mounts::Unmount::Now).unwrap();
        for name in ["upper", "work"] {
            fs::remove_dir_all(place.at(name)).unwrap();
            fs::create_dir(place.at(name)).unwrap();
        }
    }
    assert_same(&source, &without_blocks(look(&place.roots().links_path(&tree))));
}

#[expect(clippy::disallowed_methods, reason = "the attack is made by programs in a user namespace")]
fn attack(root: &Path, map: IdMap) {
    use std::os::fd::AsFd;
    let namespace = UserNamespace::new(map).unwrap();
    let at = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_fd().as_raw_fd());
    let output = std::process::Command::new("nsenter")
        .args([&format!("--user={at}"), "--setuid=0", "--setgid=0", "sh", "-c", ATTACK, "attack"])
        .arg(root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && output.stdout == b"mine\n", "{}: {text}", output.status);
}

fn node(path: &str, kind: NodeKind, xattrs: Vec<(&str, Vec<u8>)>) -> Node {
    let path = if path.is_empty() {
        EntryPath::default()
    } else {
        EntryPath::parse(path.as_bytes()).unwrap()
    };
    let xattrs =
        xattrs.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect();
    let mtime = Time { seconds: -1_000_000_000_000, nanoseconds: 1 };
    Node { path, kind, meta: Meta { mode: 0o755, uid: 1, gid: 4_294_967_294, mtime, xattrs } }
}

fn file(size: u64, bytes: &[u8]) -> NodeKind {
    NodeKind::File(Content { size, digest: Digest::of(bytes), segments: Vec::new() })
}

#[test]
fn what_other_file_systems_do_not_hold() {
    if !inside("what_other_file_systems_do_not_hold") {
        return;
    }
    let place = Place::new();
    let most = || vec![b'v'; 65_535];
    let large =
        vec![("user.a", most()), ("user.b", most()), ("user.c", most()), ("user.d", most())];
    let overlay = vec![
        ("trusted.overlay.opaque", b"y".to_vec()),
        ("trusted.overlay.redirect", b"/zz".to_vec()),
    ];
    let nodes = [
        node("", NodeKind::Directory, large[..2].to_vec()),
        node("attributes", file(1, b"x"), large[..3].to_vec()),
        node("folder", NodeKind::Directory, large[..3].to_vec()),
        node("folder/in", NodeKind::Symlink(b"t".to_vec()), vec![("trusted.x", b"y".to_vec())]),
        node("overlay", NodeKind::Directory, overlay),
        node("overlay/file", file(1, b"x"), vec![("trusted.overlay.metacopy", vec![])]),
        node("vast", file((1 << 43) - 1, b""), vec![]),
        node("vaster", file((1 << 45) + 1, b""), vec![]),
    ];
    let tree = place.put(&nodes, &[b"x"]);
    fsck(&place.roots().image(&tree).unwrap());
    let root = place.mount_image(&tree, None);
    let value = |path: &str, name: &str| {
        let mut value = Vec::with_capacity(65_536);
        let spare = rustix::buffer::spare_capacity(&mut value);
        rustix::fs::lgetxattr(root.join(path), name, spare).map(|_| value)
    };
    for path in ["attributes", "folder"] {
        assert_eq!(value(path, "user.b").unwrap(), most(), "{path}");
    }
    assert_eq!(value("folder/in", "trusted.x").unwrap(), b"y");
    assert_eq!(value("overlay", "trusted.overlay.redirect").unwrap(), b"/zz");
    assert_eq!(value("overlay/file", "trusted.overlay.metacopy").unwrap(), b"");
    assert_eq!(fs::read(root.join("overlay/file")).unwrap(), b"x");
    assert_eq!(fs::metadata(root.join("vaster")).unwrap().len(), (1 << 45) + 1);
    assert_eq!(fs::metadata(root.join("vast")).unwrap().mtime(), -1_000_000_000_000);
    assert_eq!(fs::metadata(root.join("vast")).unwrap().gid(), 4_294_967_294);
    let root = || node("", NodeKind::Directory, vec![]);
    let device = NodeKind::Char(Device { major: 4096, minor: 0 });
    for (bad, xattrs) in [
        (file(u64::MAX >> 1, b""), vec![]),
        (device, vec![]),
        (file(1, b"x"), vec![("system.unknown", vec![])]),
        (file(1, b"x"), vec![("user.", vec![])]),
        (file(1, b"x"), vec![("user.a", vec![0; 65_536])]),
        (NodeKind::Fifo, large.into_iter().chain([("user.e", most())]).collect()),
    ] {
        let tree = place.put(&[root(), node("bad", bad, xattrs)], &[]);
        let error = place.roots().image(&tree).unwrap_err();
        assert!(matches!(&error, Error::Refused { entry, .. } if entry == "bad"), "{error}");
        assert!(!place.roots().image_path(&tree).exists());
    }
}

/// Trees of any form: names that come before and after the dots, folders of any size, links to anything.
fn trees() -> impl Strategy<Value = Vec<Node>> {
    let name = prop::sample::select(vec!["!", "-", "..a", ".b", "c", "dd", "e e", "é"]);
    let long = (1_usize..255).prop_map(|length| "n".repeat(length));
    let part = prop_oneof![3 => name.prop_map(str::to_owned), 1 => long];
    let path = prop::collection::vec(part, 1..5);
    let entry = (path, 0_usize..7, prop::collection::vec(0_usize..5000, 0..3), any::<u32>());
    prop::collection::vec(entry, 0..120).prop_map(|entries| {
        let mut all: BTreeMap<Vec<String>, Node> = BTreeMap::new();
        for (path, kind, sizes, number) in entries {
            let is_free = |depth: usize| {
                all.get(&path[..depth]).is_none_or(|node| node.kind == NodeKind::Directory)
            };
            if !(1..path.len()).all(is_free) || all.contains_key(&path) {
                continue;
            }
            for depth in 1..path.len() {
                let above = node(&path[..depth].join("/"), NodeKind::Directory, vec![]);
                all.entry(path[..depth].to_vec()).or_insert(above);
            }
            let names = ["user.a", "user.b", "user.c"];
            let values = sizes.iter().map(|size| vec![7; *size]);
            let xattrs: Vec<_> = names.into_iter().zip(values).collect();
            let device = Device { major: number & 0xfff, minor: number >> 12 };
            let (kind, xattrs) = match kind {
                0 => (NodeKind::Directory, xattrs),
                1 => (NodeKind::Symlink(vec![b't'; 1 + number as usize % 4095]), vec![]),
                2 => (NodeKind::Fifo, vec![]),
                3 => (NodeKind::Char(device), vec![]),
                4 => (NodeKind::Link(u64::from(number)), vec![]),
                5 => (file(0, b""), xattrs),
                _ => (file(u64::from(number) << (number % 13), b"x"), xattrs),
            };
            let mut made = node(&path.join("/"), kind, xattrs);
            made.meta.mode = number & 0o7777;
            all.insert(path, made);
        }
        in_order(all)
    })
}

/// The entries with links to what may be linked to.
fn in_order(all: BTreeMap<Vec<String>, Node>) -> Vec<Node> {
    let mut nodes = vec![node("", NodeKind::Directory, vec![])];
    for (_, mut node) in all {
        if let NodeKind::Link(to) = node.kind {
            let linkable =
                |node: &Node| !matches!(node.kind, NodeKind::Directory | NodeKind::Link(_));
            let those: Vec<usize> = (0..nodes.len()).filter(|at| linkable(&nodes[*at])).collect();
            let Some(at) = those.get(usize::try_from(to).unwrap() % those.len().max(1)) else {
                continue;
            };
            node.kind = NodeKind::Link(*at as u64);
            node.meta = Meta::default();
        }
        nodes.push(node);
    }
    nodes
}

/// Whether a mounted image, itself and not by way of an overlay, is this tree.
fn assert_is(nodes: &[Node], root: &Path) {
    let mut count = 0;
    let mut inodes: Vec<u64> = Vec::new();
    for node in nodes {
        let path = root.join(OsStr::from_bytes(node.path.as_bytes()));
        let data = fs::symlink_metadata(&path).unwrap();
        inodes.push(data.ino());
        if let NodeKind::Link(to) = node.kind {
            assert_eq!(data.ino(), inodes[usize::try_from(to).unwrap()]);
            continue;
        }
        let meta = &node.meta;
        assert_eq!((data.mode() & 0o7777, data.uid(), data.gid()), (meta.mode, meta.uid, meta.gid));
        assert_eq!(data.mtime(), meta.mtime.seconds);
        let names =
            nodes.iter().filter(|other| other.kind == NodeKind::Link(inodes.len() as u64 - 1));
        let names = 1 + names.count() as u64;
        match &node.kind {
            NodeKind::Directory => count += fs::read_dir(&path).unwrap().count(),
            NodeKind::Symlink(target) => {
                assert_eq!(fs::read_link(&path).unwrap().as_os_str().as_bytes(), target);
            }
            NodeKind::File(content) => assert_eq!(data.len(), content.size),
            NodeKind::Char(device) => {
                assert_eq!(data.rdev(), rustix::fs::makedev(device.major, device.minor));
            }
            _ => {}
        }
        assert!(data.is_dir() || data.nlink() == names);
        for (name, value) in &meta.xattrs {
            let mut found = Vec::with_capacity(65_536);
            let spare = rustix::buffer::spare_capacity(&mut found);
            rustix::fs::lgetxattr(&path, &name[..], spare).unwrap();
            assert_eq!(&found, value);
        }
    }
    assert_eq!(count, nodes.len() - 1);
}

#[test]
fn any_tree_is_what_the_kernel_reads() {
    if !inside("any_tree_is_what_the_kernel_reads") {
        return;
    }
    let place = Place::new();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&trees(), |nodes| {
            let tree = place.put(&nodes, &[b"x"]);
            let image = place.roots().image(&tree).unwrap();
            fsck(&image);
            let mount = volt_host::mounts::mount_image(&image).unwrap();
            assert_is(&nodes, Path::new(&format!("/proc/self/fd/{}", mount.as_raw_fd())));
            fs::remove_file(image).unwrap();
            Ok(())
        })
        .unwrap();
}
