//! Writable layers against what the kernel shows of them; snapshots.

use super::{Cas, Digest, RefKind, count, nobody};
use crate::cas::build::BuildOptions;
use crate::cas::layer::{Mark, NOTHING, merge};
use crate::cas::tree::Tree;
use crate::cas::{Layer, NewSnapshot, Unkept};
use crate::images::Work;
use crate::manifest::{Content, Node, NodeKind};
use crate::roots::tests::in_own_namespace;
use crate::tree::{EntryPath, Meta};
use crate::{Difference, Silent};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use volt_host::mounts::{self, MountAttributes, Overlay, Unmount, overlay_root};

/// Something that is done in a container.
#[derive(Debug, Clone)]
enum Act {
    Write(String, u8),
    Chmod(String, u32),
    Chown(String, u32),
    Folder(String),
    Remove(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String),
    Shorten(String),
}

fn act() -> impl Strategy<Value = Act> {
    // Few names, so that they meet.
    let path = || {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "x"]), 1..4)
            .prop_map(|parts| parts.join("/"))
    };
    prop_oneof![
        3 => (path(), any::<u8>()).prop_map(|(p, byte)| Act::Write(p, byte)),
        3 => (path(), 0..0o7777_u32).prop_map(|(p, mode)| Act::Chmod(p, mode | 0o700)),
        2 => (path(), 0..9_u32).prop_map(|(p, id)| Act::Chown(p, id)),
        2 => path().prop_map(Act::Folder),
        3 => path().prop_map(Act::Remove),
        4 => (path(), path()).prop_map(|(a, b)| Act::Rename(a, b)),
        2 => (path(), path()).prop_map(|(a, b)| Act::Link(a, b)),
        1 => path().prop_map(Act::Symlink),
        1 => path().prop_map(Act::Shorten),
    ]
}

/// Does it; what can't be done is left.
fn perform(root: &Path, act: &Act) {
    let at = |path: &str| root.join(path);
    let done = match act {
        Act::Write(path, byte) => fs::write(at(path), vec![*byte; usize::from(*byte)]),
        Act::Chmod(path, mode) => match fs::symlink_metadata(at(path)) {
            Ok(data) if !data.is_symlink() => {
                fs::set_permissions(at(path), fs::Permissions::from_mode(*mode))
            }
            _ => Ok(()),
        },
        Act::Chown(path, id) => match fs::symlink_metadata(at(path)) {
            Ok(data) if !data.is_symlink() => chown(at(path), Some(*id), Some(*id)),
            _ => Ok(()),
        },
        Act::Folder(path) => fs::create_dir(at(path)),
        Act::Remove(path) => match fs::symlink_metadata(at(path)) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(at(path)),
            _ => fs::remove_file(at(path)),
        },
        Act::Rename(from, to) => fs::rename(at(from), at(to)),
        Act::Link(from, to) => fs::hard_link(at(from), at(to)),
        Act::Symlink(path) => symlink("nowhere", at(path)),
        Act::Shorten(path) => {
            fs::File::options().write(true).open(at(path)).and_then(|file| file.set_len(3))
        }
    };
    drop(done);
}

/// A lower folder, a writable layer over it, and the two mounted.
struct Place {
    dir: tempfile::TempDir,
    cas: Cas,
    below: Digest,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lower = dir.path().join("lower");
        for folder in ["a/a/a", "a/b", "b/c", "c"] {
            fs::create_dir_all(lower.join(folder)).unwrap();
        }
        for (number, file) in ["a/x", "a/a/x", "a/a/a/x", "b/c/x", "b/x", "x"].iter().enumerate() {
            fs::write(lower.join(file), format!("{number} below")).unwrap();
        }
        for folder in ["upper", "work", "root"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let cas = Cas::open(&dir.path().join("lib"));
        let lease = cas.lease(&nobody).unwrap();
        let built = cas.build(&lease, &lower, &BuildOptions::default(), &Silent).unwrap();
        lease.sync().unwrap();
        let named = json!({ "tree": built.tree.to_string() });
        cas.refs().write(RefKind::Images, "below", &named).unwrap();
        lease.end().unwrap();
        Self { dir, cas, below: built.tree }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mounted(&self, work: impl FnOnce(&Path)) {
        let root = self.at("root");
        overlay_root(&Overlay {
            lower: &[mounts::Layer::Folder(&self.at("lower"))],
            writable: Some((&self.at("upper"), &self.at("work"))),
            target: &root,
            idmap: None,
            attributes: MountAttributes::empty(),
            source: "volt",
        })
        .unwrap();
        work(&root);
        mounts::unmount_all(&root, Unmount::Now).unwrap();
    }

    fn read(&self) -> Vec<Node> {
        let dir = self.at("upper");
        let layer = Layer { below: Some(self.below), dir: &dir, keeper: &Unkept, limit: u64::MAX };
        self.cas.read_layer(None, &layer, &Silent).unwrap().nodes
    }

    /// What is seen in the mounted root.
    fn seen(&self, root: &Path) -> Vec<Node> {
        let options = BuildOptions { devices: false, remember: false, ..BuildOptions::default() };
        self.cas.gather(None, root, &options, &Silent).unwrap().nodes
    }
}

#[test]
fn a_layer_is_read_as_the_kernel_shows_it() {
    if !in_own_namespace("cas::tests::layers::a_layer_is_read_as_the_kernel_shows_it") {
        return;
    }
    let check = |acts: &[Act]| {
        let place = Place::new();
        let mut seen = Vec::new();
        place.mounted(|root| {
            acts.iter().for_each(|act| perform(root, act));
            seen = place.seen(root);
        });
        (seen, place.read())
    };
    let fixed = [
        Act::Rename("a".into(), "b/moved".into()),
        Act::Chmod("b/moved/a/x".into(), 0o751),
        Act::Rename("b/moved/a/x".into(), "y".into()),
        Act::Link("y".into(), "c/z".into()),
        Act::Remove("b/c".into()),
        Act::Folder("b/c".into()),
        Act::Write("x".into(), 7),
    ];
    let (seen, read) = check(&fixed);
    assert_eq!(seen, read);
    let mut runner =
        TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let any = prop::collection::vec(act(), 1..30);
    runner
        .run(&any, |acts| {
            let (seen, read) = check(&acts);
            prop_assert_eq!(seen, read);
            Ok(())
        })
        .unwrap();
}

fn node(path: &str, kind: NodeKind) -> Node {
    let path = if path.is_empty() {
        EntryPath::default()
    } else {
        EntryPath::parse(path.as_bytes()).unwrap()
    };
    Node { path, kind, meta: Meta::default() }
}

fn file(text: &str) -> NodeKind {
    NodeKind::File(Content {
        size: text.len() as u64,
        digest: Digest::of(text.as_bytes()),
        segments: Vec::new(),
    })
}

#[test]
fn names_of_one_file_below_stay_names_of_one_file() {
    let below = [
        node("", NodeKind::Directory),
        node("a", file("one")),
        node("b", NodeKind::Link(1)),
        node("c", NodeKind::Link(1)),
    ];
    let below = Tree { digest: Digest::of(b""), nodes: below.into() };
    for (above, wanted) in [
        (vec![], vec![("a", file("one")), ("b", NodeKind::Link(1)), ("c", NodeKind::Link(1))]),
        // The first name is gone: the next one is the first now.
        (vec![("a", NOTHING)], vec![("b", file("one")), ("c", NodeKind::Link(1))]),
        (
            vec![("a0", file("new")), ("b", file("other"))],
            vec![
                ("a", file("one")),
                ("a0", file("new")),
                ("b", file("other")),
                ("c", NodeKind::Link(1)),
            ],
        ),
        (
            vec![("a", file("up")), ("d", NodeKind::Link(1))],
            vec![
                ("a", file("up")),
                ("b", file("one")),
                ("c", NodeKind::Link(2)),
                ("d", NodeKind::Link(1)),
            ],
        ),
    ] {
        let nodes = |list: Vec<(&str, NodeKind)>| -> Vec<Node> {
            let rest = list.into_iter().map(|(path, kind)| node(path, kind));
            [node("", NodeKind::Directory)].into_iter().chain(rest).collect()
        };
        assert_eq!(merge(&below, &nodes(above), &HashMap::new()).unwrap(), nodes(wanted));
    }
    // Attributes of a file that is nowhere are damage, not an empty file.
    let above = [node("", NodeKind::Directory), node("x", file(""))];
    let mark = Mark { is_metacopy: true, ..Mark::default() };
    let error = merge(&below, &above, &HashMap::from([(1, mark)])).unwrap_err();
    assert!(error.to_string().contains("its contents are not in the tree below"), "{error}");
}

/// A collection that has read who wants what goes on while a container is put on another tree.
#[test]
fn what_the_tree_below_has_is_counted_on() {
    let place = Place::new();
    let (cas, dir) = (&place.cas, place.at("upper"));
    let layer = Layer { below: Some(place.below), dir: &dir, keeper: &Unkept, limit: u64::MAX };
    let lease = cas.lease(&nobody).unwrap();
    let read = cas.read_layer(Some(&lease), &layer, &Silent).unwrap();
    assert!(cas.refs().remove(RefKind::Images, "below").unwrap());
    assert_eq!(cas.collect(&nobody).unwrap().objects, 1, "the manifest of the tree below");
    let tree = cas.manifest(&lease, &read.nodes).unwrap();
    for (node, content) in cas.tree(&tree).unwrap().contents() {
        assert_eq!(cas.objects().check(&content.digest).unwrap(), Some(true), "{:?}", node.path);
    }
    lease.end().unwrap();
    // What is lost by now is not acknowledged.
    cas.collect(&nobody).unwrap();
    let lease = cas.lease(&nobody).unwrap();
    let below = cas.manifest(&lease, &read.nodes).unwrap();
    let layer = Layer { below: Some(below), ..layer };
    let error = cas.read_layer(Some(&lease), &layer, &Silent).map(drop).unwrap_err();
    assert!(matches!(error, crate::Error::BadObject { more: 5, .. }), "{error}");
}

#[test]
fn snapshots_stand_alone_and_cost_what_changed() {
    let place = Place::new();
    let (cas, dir) = (&place.cas, place.at("upper"));
    let layer = Layer { below: Some(place.below), dir: &dir, keeper: &Unkept, limit: u64::MAX };
    let work = Work { wanted: &nobody, progress: &Silent };
    let name = |text: &str| text.parse::<volt_model::name::Name>().unwrap();
    let make = |snapshot: &str| {
        let new = NewSnapshot {
            container: name("web"),
            name: name(snapshot),
            image: "below".parse().unwrap(),
        };
        cas.snapshot(new, &layer, work).unwrap()
    };
    fs::write(dir.join("new"), "12345").unwrap();
    let before = count(cas);
    let first = make("first");
    assert_eq!((first.new, count(cas)), (5, before + 2), "a file and a manifest");
    // The times of what changed a moment ago are not believed; the contents are found to be there.
    assert_eq!(make("second").new, 0);
    assert_eq!(count(cas), before + 2);
    fs::write(dir.join("new"), "other").unwrap();
    let changes = cas.changes_since(&first.tree, &layer, &Silent).unwrap();
    let changed: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(changed, ["new"]);
    assert!(matches!(&changes[0].what, Difference::Changed(what) if what.contains(&"content")));
    assert_eq!(count(cas), before + 2, "a comparison stores nothing");

    cas.pass_snapshots(&name("web"), &name("site")).unwrap();
    let names: Vec<_> =
        cas.snapshots().unwrap().into_iter().map(|s| (s.container, s.name)).collect();
    assert_eq!(names, [(name("site"), name("first")), (name("site"), name("second"))]);
    // Without the image they began with they are whole.
    assert!(cas.refs().remove(RefKind::Images, "below").unwrap());
    assert_eq!(cas.collect(&nobody).unwrap().objects, 1, "the manifest of the image");
    let tree = cas.find_snapshot(&name("site"), &name("first")).unwrap().unwrap().tree;
    assert_eq!(cas.tree(&tree).unwrap().nodes, cas.tree(&first.tree).unwrap().nodes);
    assert!(cas.forget_snapshot(&name("site"), &name("second")).unwrap());
    assert!(!cas.forget_snapshot(&name("site"), &name("second")).unwrap());
    cas.forget_snapshots(&name("site")).unwrap();
    assert_eq!(cas.snapshots().unwrap(), []);
    cas.collect(&nobody).unwrap();
    assert_eq!(count(cas), 0);
}
