//! What entries become: names behind links, hard links, numbers, the manifest.

use super::*;
use crate::digest::Digest;
use crate::manifest::{Decoder, Node, NodeKind};
use crate::tree::{self, Entry, Shape, Time};

fn tree() -> MemTree {
    MemTree::new(Quota { bytes: 1 << 20, entries: 100 })
}

fn put(tree: &mut MemTree, path: &str, kind: tree::Kind) -> crate::Result<Option<Number>> {
    let path = EntryPath::parse(path.as_bytes()).unwrap();
    let mtime = Time { seconds: 7, nanoseconds: 0 };
    tree.put(&Entry { path, kind, meta: Meta { mode: 0o640, mtime, ..Meta::default() } })
}

fn file(tree: &mut MemTree, path: &str) -> Number {
    put(tree, path, tree::Kind::File(Shape::dense(3))).unwrap().unwrap()
}

fn link(tree: &mut MemTree, path: &str, target: &str) {
    put(tree, path, tree::Kind::Symlink(target.as_bytes().to_vec())).unwrap();
}

fn nodes(tree: &MemTree) -> Vec<Node> {
    let bytes = tree.encode().unwrap();
    let mut decoder = Decoder::new(&bytes[..]).unwrap();
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

fn paths(tree: &MemTree) -> Vec<String> {
    nodes(tree).iter().map(|n| String::from_utf8_lossy(n.path.as_bytes()).into_owned()).collect()
}

#[test]
fn entries_lie_where_links_lead() {
    let mut tree = tree();
    link(&mut tree, "bin", "usr/bin");
    put(&mut tree, "usr/bin", tree::Kind::Directory).unwrap();
    file(&mut tree, "bin/a");
    link(&mut tree, "usr/up", "../../..");
    file(&mut tree, "usr/up/top");
    link(&mut tree, "usr/back", "../usr/./bin/");
    file(&mut tree, "usr/back/b");
    assert_eq!(
        paths(&tree),
        ["", "bin", "top", "usr", "usr/back", "usr/bin", "usr/bin/a", "usr/bin/b", "usr/up"]
    );
    assert_eq!(tree.notes.list.len(), 1, "{:?}", tree.notes);
    assert_eq!(tree.notes.list[0].entry, "usr/up/top");
    // A folder that nobody named is as old as what made it.
    let implied = nodes(&tree).into_iter().find(|node| node.path.as_bytes() == b"usr").unwrap();
    assert_eq!((implied.meta.mode, implied.meta.mtime.seconds), (0o755, 7));
}

#[test]
fn names_of_one_file_are_links_to_the_first() {
    let mut tree = tree();
    let first = file(&mut tree, "z/first");
    let to = || tree::Kind::HardLink(EntryPath::parse(b"z/first").unwrap());
    put(&mut tree, "a", to()).unwrap();
    put(&mut tree, "a", to()).unwrap();
    put(&mut tree, "z/second", to()).unwrap();
    tree.fill(first, Digest::of(b"abc"));
    // The file that has this name now is another one.
    let later = file(&mut tree, "z/first");
    tree.fill(later, Digest::of(b"xyz"));
    let found = nodes(&tree);
    assert_eq!(paths(&tree), ["", "a", "z", "z/first", "z/second"]);
    let digest = |node: &Node| match &node.kind {
        NodeKind::File(content) => Some(content.digest),
        _ => None,
    };
    assert_eq!(digest(&found[1]), Some(Digest::of(b"abc")));
    assert_eq!(digest(&found[3]), Some(Digest::of(b"xyz")));
    assert_eq!(found[4].kind, NodeKind::Link(1));
}

#[test]
fn a_path_behind_links_is_not_longer_than_paths_can_be() {
    let mut tree = tree();
    let deep = vec!["d".repeat(200); 20].join("/");
    put(&mut tree, &deep, tree::Kind::Directory).unwrap();
    link(&mut tree, "l", &deep);
    let error = put(&mut tree, &format!("l/{}", "x".repeat(100)), tree::Kind::Fifo).unwrap_err();
    assert!(error.to_string().contains("longer than 4095"), "{error}");
}

#[test]
fn holes_in_a_manifest() {
    let mut tree = tree();
    let segment = |offset, length| tree::Segment { offset, length };
    for (name, segments, wanted) in [
        ("whole", vec![segment(0, 50), segment(50, 50)], vec![]),
        ("hollow", vec![], vec![segment(100, 0)]),
        (
            "touching",
            vec![segment(1, 2), segment(3, 0), segment(3, 4), segment(9, 1)],
            vec![segment(1, 6), segment(9, 1)],
        ),
    ] {
        let number =
            put(&mut tree, name, tree::Kind::File(Shape { size: 100, segments })).unwrap().unwrap();
        tree.fill(number, Digest::of(name.as_bytes()));
        let node = nodes(&tree).into_iter().find(|n| n.path.as_bytes() == name.as_bytes()).unwrap();
        let NodeKind::File(content) = node.kind else { panic!("{name} is a file") };
        assert_eq!(content.segments, wanted, "{name}");
    }
}

/// Layers as lists of names: with a slash at the end a folder, with an arrow a link, else a file.
fn layered(layers: &[&[&str]]) -> Vec<String> {
    let mut tree = tree();
    for layer in layers {
        tree.begin_layer().unwrap();
        for entry in *layer {
            match entry.split_once(" -> ") {
                Some((name, target)) => link(&mut tree, name, target),
                None if entry.ends_with('/') => {
                    put(&mut tree, entry, tree::Kind::Directory).unwrap();
                }
                None => {
                    put(&mut tree, entry, tree::Kind::File(Shape::dense(3))).unwrap();
                }
            }
        }
    }
    paths(&tree).split_off(1)
}

#[test]
fn layers_take_away_what_earlier_ones_have() {
    for (layers, wanted) in [
        // A whiteout, of a file, of a full folder, of nothing.
        (
            vec![&["a", "d/x", "d/y"][..], &["d/.wh.x", ".wh.nothing", "no/.wh.x"]],
            vec!["a", "d", "d/y"],
        ),
        (vec![&["d/e/x", "d/y"], &[".wh.d"]], vec![]),
        // What the same layer has stays, whatever the order.
        (vec![&["d/x"], &["d/new", ".wh.d"]], vec!["d", "d/new"]),
        (vec![&["d/x"], &[".wh.d", "d/new"]], vec!["d", "d/new"]),
        (vec![&["x"], &["x", ".wh.x"]], vec!["x"]),
        // An opaque folder, before or behind what is new in it.
        (vec![&["d/x", "d/e/y"], &["d/", "d/.wh..wh..opq", "d/new"]], vec!["d", "d/new"]),
        (vec![&["d/x", "d/e/y"], &["d/e/new", "d/.wh..wh..opq"]], vec!["d", "d/e", "d/e/new"]),
        (vec![&["d/x"], &["d/y"], &["d/.wh..wh..opq"]], vec!["d"]),
        // One kind in place of another.
        (vec![&["d/e/x"], &["d"]], vec!["d"]),
        (vec![&["f"], &["f/", "f/x"]], vec!["f", "f/x"]),
        (
            vec![&["lib -> usr/lib", "usr/lib/a"], &["lib/b"]],
            vec!["lib", "usr", "usr/lib", "usr/lib/a", "usr/lib/b"],
        ),
        (
            vec![&["lib -> usr/lib", "usr/lib/a"], &["lib/", "lib/b"]],
            vec!["lib", "lib/b", "usr", "usr/lib", "usr/lib/a"],
        ),
        // Notes of aufs.
        (vec![&["a"], &[".wh..wh.plnk/", ".wh..wh.aufs"]], vec!["a"]),
    ] {
        assert_eq!(layered(&layers), wanted, "{layers:?}");
    }
}

#[test]
fn a_name_that_looks_like_a_whiteout_is_one_in_layers_only() {
    let mut tree = tree();
    file(&mut tree, ".wh.a");
    assert_eq!(paths(&tree), ["", ".wh.a"]);
}
