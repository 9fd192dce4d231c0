//! The format, both ways.

use super::encode::entry;
use super::{Broken, Content, Decoder, Device, Encoder, MAGIC, Node, NodeKind, order};
use crate::digest::Digest;
use crate::tree::{EntryPath, Meta, Segment, Time};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn encode(nodes: &[Node]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    for node in nodes {
        encoder.put(node).unwrap();
    }
    encoder.finish().unwrap()
}

fn decode(bytes: &[u8]) -> Result<Vec<Node>, Broken> {
    let mut decoder = Decoder::new(bytes)?;
    let mut nodes = Vec::new();
    while let Some(node) = decoder.next()? {
        nodes.push(node);
    }
    Ok(nodes)
}

fn path(text: &[u8]) -> EntryPath {
    if text.is_empty() { EntryPath::default() } else { EntryPath::parse(text).unwrap() }
}

fn node(at: &[u8], kind: NodeKind) -> Node {
    let is_link = matches!(kind, NodeKind::Link(_));
    let mtime = Time { seconds: -5, nanoseconds: 7 };
    let xattrs = vec![(b"user.a".to_vec(), vec![0, 255]), (b"user.b".to_vec(), vec![])];
    let meta = Meta { mode: 0o4755, uid: 70_000, gid: 3, mtime, xattrs };
    Node { path: path(at), kind, meta: if is_link { Meta::default() } else { meta } }
}

fn sample() -> Vec<Node> {
    let file =
        |segments| NodeKind::File(Content { size: 10_000, digest: Digest::of(b"x"), segments });
    vec![
        node(b"", NodeKind::Directory),
        node(b"a", NodeKind::Directory),
        node(b"a/b", file(vec![])),
        node(b"a!", file(vec![Segment { offset: 4096, length: 100 }])),
        node(b"c", NodeKind::Link(2)),
        node(b"d", NodeKind::Symlink(b"../\xff".to_vec())),
        node(b"e", NodeKind::Fifo),
        node(b"f", NodeKind::Char(Device { major: 0, minor: 0 })),
        node(b"g", NodeKind::Block(Device { major: 259, minor: 1_048_575 })),
    ]
}

#[test]
fn the_format_does_not_change() {
    let bytes = encode(&sample());
    assert_eq!(decode(&bytes).unwrap(), sample());
    // Whoever changes this breaks every store there is.
    assert_eq!(
        Digest::of(&bytes).to_string(),
        "blake3:62e9b9c8718c1ad9dd404d199e3df4af28e1426cf8f78a22bdbb5790b6fa2faa"
    );
    assert!(bytes.starts_with(
        b"volt-tree 1\nd\x00\xed\x13\xf0\xa2\x04\x03\x09\x07\x02\x06user.a\x02\x00\xff"
    ));
}

#[test]
fn what_is_not_the_one_way_is_refused() {
    let dir = |at: &[u8]| node(at, NodeKind::Directory);
    let root = dir(b"");
    // The encoder refuses all of these, so they are put together by hand.
    let joined = |nodes: &[&Node]| {
        let mut bytes = super::MAGIC.to_vec();
        for node in nodes {
            bytes.extend(super::encode::entry(node));
        }
        bytes.push(super::END);
        bytes
    };
    let cases: [(&str, Vec<u8>); 9] = [
        ("no root", joined(&[])),
        ("the first is not the root", joined(&[&dir(b"a")])),
        ("out of order", joined(&[&root, &dir(b"b"), &dir(b"a")])),
        ("twice", joined(&[&root, &dir(b"a"), &dir(b"a")])),
        ("no folder above", joined(&[&root, &dir(b"a"), &dir(b"b/c")])),
        ("a file above", joined(&[&root, &node(b"a", NodeKind::Fifo), &dir(b"a/c")])),
        ("link to a folder", joined(&[&root, &node(b"a", NodeKind::Link(0))])),
        ("link to itself", joined(&[&root, &node(b"a", NodeKind::Link(1))])),
        ("a byte too many", [joined(&[&root]), vec![0]].concat()),
    ];
    for (what, bytes) in cases {
        assert!(matches!(decode(&bytes), Err(Broken::Format { .. })), "{what} was taken");
    }
    assert!(decode(&joined(&[&root, &dir(b"a"), &dir(b"a/b"), &dir(b"a!")])).is_ok());
}

#[test]
fn a_manifest_cut_anywhere_is_refused() {
    let bytes = encode(&sample());
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} of {} bytes were taken", bytes.len());
    }
}

fn any_kind() -> impl Strategy<Value = NodeKind> {
    let content = (
        0..1_u64 << 40,
        any::<[u8; 32]>(),
        prop::collection::vec((1..1000_u64, 1..1000_u64), 0..4),
    );
    let file = content.prop_map(|(size, digest, gaps)| {
        let mut at = 0;
        let mut segments = Vec::new();
        for (gap, length) in gaps {
            let offset = at + gap;
            at = offset + length;
            segments.push(Segment { offset, length });
        }
        let size = if segments.is_empty() { size } else { size.max(at) };
        NodeKind::File(Content { size, digest: Digest::from_bytes(digest), segments })
    });
    prop_oneof![
        Just(NodeKind::Directory),
        file,
        prop::collection::vec(1..=255_u8, 1..20).prop_map(NodeKind::Symlink),
        Just(NodeKind::Fifo),
        (any::<u32>(), any::<u32>())
            .prop_map(|(major, minor)| NodeKind::Char(Device { major, minor })),
    ]
}

fn any_meta() -> impl Strategy<Value = Meta> {
    let pairs = prop::collection::btree_map(
        prop::collection::vec(1..=255_u8, 1..8),
        prop::collection::vec(any::<u8>(), 0..8),
        0..3,
    );
    (0..0o10000_u32, any::<u32>(), any::<u32>(), any::<i64>(), 0..1_000_000_000_u32, pairs)
        .prop_map(|(mode, uid, gid, seconds, nanoseconds, pairs)| Meta {
            mode,
            uid,
            gid,
            mtime: Time { seconds, nanoseconds },
            xattrs: pairs.into_iter().collect(),
        })
}

/// The example of docs/formats/tree.md.
#[test]
fn the_example_of_the_format() {
    let meta = |mode| Meta { mode, ..Meta::default() };
    let content = Content { size: 0, digest: Digest::of(b""), segments: Vec::new() };
    let nodes = [
        Node { path: path(b""), kind: NodeKind::Directory, meta: meta(0o755) },
        Node { path: path(b"a"), kind: NodeKind::File(content), meta: meta(0o644) },
    ];
    let bytes = encode(&nodes);
    let start = b"volt-tree 1\n\x64\0\xed\x03\0\0\0\0\0\x66\x01\x61\xa4\x03\0\0\0\0\0\0\xaf\x13";
    assert!(bytes.starts_with(start) && bytes.ends_with(b"\x1f\x32\x62\0."));
    assert_eq!(bytes.len(), 66);
}

#[test]
fn an_empty_segment_stands_alone() {
    let segments = |all: &[(u64, u64)]| {
        let segment = |(offset, length): &(u64, u64)| Segment { offset: *offset, length: *length };
        let segments = all.iter().map(segment).collect();
        let content = Content { size: 9, digest: Digest::of(b""), segments };
        let file = Node { path: path(b"a"), kind: NodeKind::File(content), meta: Meta::default() };
        let bytes = [MAGIC, &entry(&node(b"", NodeKind::Directory)), &entry(&file), b"."].concat();
        decode(&bytes).is_ok()
    };
    assert!(segments(&[(9, 0)]) && segments(&[(0, 3), (5, 4)]) && segments(&[(2, 1)]));
    for bad in [&[(0, 3), (9, 0)][..], &[(3, 0)], &[(0, 9)], &[(0, 3), (3, 1)], &[(0, 10)]] {
        assert!(!segments(bad), "{bad:?}");
    }
}

/// What the decoder refuses is refused while its name is known.
#[test]
fn what_can_not_be_read_is_not_written() {
    let file = |segments| {
        NodeKind::File(Content { size: u64::MAX >> 1, digest: Digest::of(b""), segments })
    };
    let plain = |kind| Node { path: path(b"a/bad"), kind, meta: Meta::default() };
    let with = |xattrs: Vec<(Vec<u8>, Vec<u8>)>| Node {
        meta: Meta { xattrs, ..Meta::default() },
        ..plain(NodeKind::Directory)
    };
    let segment = |n: u64| Segment { offset: n * 8192, length: 4096 };
    let many = |count: u64| file((1..=count).map(segment).collect());
    let attribute = |n: u32| (format!("user.{n}").into_bytes(), Vec::new());
    let cases: [(Node, bool); 9] = [
        (plain(many(1 << 20)), true),
        (plain(many((1 << 20) + 1)), false),
        (with((0..4096).map(attribute).collect()), true),
        (with((0..4097).map(attribute).collect()), false),
        (with(vec![(b"user.x".to_vec(), vec![0; 65_537])]), false),
        (with(vec![(vec![b'x'; 256], Vec::new())]), false),
        (with(vec![attribute(1), (b"user.1".to_vec(), b"2".to_vec())]), false),
        (plain(NodeKind::Symlink(vec![b'x'; 4096])), false),
        (plain(NodeKind::Link(2)), false),
    ];
    for (node, is_good) in cases {
        let mut encoder = Encoder::new(Vec::new()).unwrap();
        for folder in [&b""[..], b"a"] {
            encoder.put(&self::node(folder, NodeKind::Directory)).unwrap();
        }
        match encoder.put(&node) {
            Ok(_) => assert!(is_good && decode(&encoder.finish().unwrap()).is_ok()),
            Err(error) => {
                assert!(!is_good && error.to_string().starts_with("entry `a/bad` is"), "{error}");
            }
        }
    }
    assert!(Encoder::new(Vec::new()).unwrap().finish().is_err(), "it has no root");
}

/// Entries good and bad.
fn any_node() -> impl Strategy<Value = Node> {
    let name = prop::collection::vec(prop::sample::select(&b"ab/"[..]), 0..4);
    let pair = (prop::collection::vec(0..3_u8, 0..2), prop::collection::vec(any::<u8>(), 0..2));
    let bad = prop_oneof![
        (0..4_u64).prop_map(NodeKind::Link),
        prop::collection::vec(0..2_u8, 0..3).prop_map(NodeKind::Symlink),
        (any::<u64>(), prop::collection::vec((0..9_u64, 0..5_u64), 0..3)).prop_map(
            |(size, all)| {
                let segment = |(offset, length)| Segment { offset, length };
                let segments = all.into_iter().map(segment).collect();
                NodeKind::File(Content { size: size % 12, digest: Digest::of(b""), segments })
            }
        ),
    ];
    let meta =
        (any_meta(), prop::collection::vec(pair, 0..3), 0..3_u8).prop_map(|(meta, xattrs, n)| {
            match n {
                0 => Meta { xattrs, ..meta },
                1 => Meta { mode: meta.mode << 2, ..meta },
                _ => meta,
            }
        });
    (name, prop_oneof![any_kind(), bad], meta).prop_map(|(name, kind, meta)| {
        let path = EntryPath::parse(&name).unwrap_or_default();
        let is_link = matches!(kind, NodeKind::Link(_));
        Node { path, kind, meta: if is_link { Meta::default() } else { meta } }
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(candidates in prop::collection::vec(any_node(), 1..12)) {
        let mut taken: Vec<Node> = Vec::new();
        let root = node(b"", NodeKind::Directory);
        for one in std::iter::once(root).chain(candidates) {
            let mut encoder = Encoder::new(Vec::new()).unwrap();
            for node in &taken {
                encoder.put(node).unwrap();
            }
            if encoder.put(&one).is_ok() {
                taken.push(one);
                for node in &mut taken {
                    node.meta.xattrs.sort();
                }
                prop_assert_eq!(decode(&encoder.finish().unwrap()).unwrap(), taken.clone());
            }
        }
    }

    #[test]
    fn every_tree_comes_back(
        names in prop::collection::btree_set(prop::collection::vec(prop::sample::select(&b"a!\xff"[..]), 1..4), 0..6),
        below in prop::collection::btree_set(prop::collection::vec(prop::sample::select(&b"b-"[..]), 1..3), 0..4),
        parts in prop::collection::vec((any_kind(), any_meta()), 1..12),
    ) {
        let mut paths: BTreeSet<Vec<u8>> = names.iter().cloned().collect();
        if let Some(first) = names.iter().next() {
            paths.extend(below.iter().map(|name| [&first[..], b"/", name].concat()));
        }
        let mut paths: Vec<_> = paths.into_iter().collect();
        paths.sort_by(|a, b| order(a, b));
        let mut nodes = vec![node(b"", NodeKind::Directory)];
        for (number, at) in paths.iter().enumerate() {
            let (kind, meta) = parts[number % parts.len()].clone();
            let holds = Some(at) == names.iter().next() && !below.is_empty();
            let kind = if holds { NodeKind::Directory } else { kind };
            nodes.push(Node { path: path(at), kind, meta });
        }
        let bytes = encode(&nodes);
        prop_assert_eq!(decode(&bytes).unwrap(), nodes);
    }

    #[test]
    fn what_is_taken_is_written_the_same_way(
        at in 0..10_000_usize, byte in any::<u8>(), more in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut bytes = encode(&sample());
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.splice(at..at, more);
        if let Ok(nodes) = decode(&bytes) {
            prop_assert_eq!(encode(&nodes), bytes);
        }
    }
}
