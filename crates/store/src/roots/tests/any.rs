//! Trees as no file system has them, and trees of any form.

use super::*;

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
    if !inside("any::what_other_file_systems_do_not_hold") {
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
    if !inside("any::any_tree_is_what_the_kernel_reads") {
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
