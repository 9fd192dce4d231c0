//! Roots of both forms against the trees they are made from, by mounting them.

mod any;
mod attack;
mod damage;
mod forms;
mod sharing;

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
