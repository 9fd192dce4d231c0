//! Objects, leases and garbage, one process and several threads.

mod building;
mod failing;
mod layers;
mod reading;

use super::{Cas, RefKind};
use crate::digest::Digest;
use crate::manifest::{Content, Encoder, Node, NodeKind};
use crate::tree::{EntryPath, Meta};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many objects there are.
fn count(cas: &Cas) -> usize {
    let mut all = 0;
    let each = &mut |_| {
        all += 1;
        Ok(())
    };
    cas.objects().each(each).unwrap();
    all
}

fn nobody() -> crate::Result<Vec<Digest>> {
    Ok(Vec::new())
}

/// A tree with these files, as its manifest.
fn manifest(contents: &[(Digest, u64)]) -> Vec<u8> {
    let root = Node {
        path: EntryPath::default(),
        kind: NodeKind::Directory,
        meta: Meta { mode: 0o755, ..Meta::default() },
    };
    let mut encoder = Encoder::new(Vec::new()).unwrap();
    encoder.put(&root).unwrap();
    for (number, (digest, size)) in contents.iter().enumerate() {
        let content = Content { size: *size, digest: *digest, segments: Vec::new() };
        let path = EntryPath::parse(format!("{number:08}").as_bytes()).unwrap();
        let kind = NodeKind::File(content);
        encoder.put(&Node { path, kind, meta: Meta::default() }).unwrap();
    }
    encoder.finish().unwrap()
}

/// Stores files and a tree of them under a name.
fn publish(cas: &Cas, name: &str, files: &[Vec<u8>]) -> Digest {
    let lease = cas.lease(&nobody).unwrap();
    let objects = cas.objects();
    let put = |bytes: &Vec<u8>| {
        let put = objects.put(&lease, &mut &bytes[..]).unwrap();
        (put.digest, put.size)
    };
    let contents: Vec<_> = files.iter().map(put).collect();
    let tree = objects.put_bytes(&lease, &manifest(&contents)).unwrap().digest;
    lease.sync().unwrap();
    cas.refs().write(RefKind::Manifests, name, &json!({ "tree": tree.to_string() })).unwrap();
    lease.end().unwrap();
    tree
}

fn files(seed: u8, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{seed} {number}").into_bytes()).collect()
}

#[test]
fn what_is_put_is_there_once_and_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::open(dir.path());
    let lease = cas.lease(&nobody).unwrap();
    let objects = cas.objects();
    let large: Vec<u8> = [vec![0; 700 << 10], vec![7; 900 << 10], vec![0; 600 << 10]].concat();
    for bytes in [&b""[..], b"x", &large] {
        let first = objects.put(&lease, &mut &bytes[..]).unwrap();
        assert!(first.is_new && first.digest == Digest::of(bytes));
        assert_eq!(first.size, bytes.len() as u64);
        assert!(!objects.put(&lease, &mut &bytes[..]).unwrap().is_new);
        let path = objects.path(&first.digest);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o444);
        assert_eq!(objects.check(&first.digest).unwrap(), Some(true));
    }
    lease.end().unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("cas/tmp")).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == "collecting"), "{left:?}");
}

#[test]
fn only_what_nobody_reaches_goes() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::open(dir.path());
    publish(&cas, "one", &files(1, 5));
    let stood_on = publish(&cas, "two", &files(2, 5));
    publish(&cas, "three", &files(3, 5));
    for name in ["two", "three"] {
        assert!(cas.refs().remove(RefKind::Manifests, name).unwrap());
    }
    let held = cas.lease(&nobody).unwrap();
    cas.objects().put_bytes(&held, b"3 0").unwrap();
    cas.objects().put_bytes(&held, b"new").unwrap();
    let wanted = || Ok(vec![stood_on]);
    assert_eq!(cas.garbage(&wanted).unwrap().objects, 5);
    // Four files and the manifest of `three`: the fifth file is held.
    assert_eq!(cas.collect(&wanted).unwrap().objects, 5);
    assert_eq!(cas.collect(&wanted).unwrap().objects, 0);
    drop(held);
    assert_eq!(cas.collect(&wanted).unwrap().objects, 2);
    assert_eq!(cas.collect(&nobody).unwrap().objects, 6);
    assert_eq!(count(&cas), 6);
}

#[test]
fn a_lease_is_forgotten_once_its_objects_are_collected_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::open(dir.path());
    publish(&cas, "kept", &files(1, 3));
    let before = count(&cas);
    let earlier = |holder: &str| dir.path().join(format!("cas/tmp/lease-{:032}-{holder}", 0));
    let half = |holder: &str| {
        let lease = cas.lease_on_good().unwrap();
        cas.objects().put_bytes(&lease, holder.as_bytes()).unwrap();
        lease.end().unwrap();
        std::fs::write(earlier(holder), "").unwrap();
    };
    half("1-1");
    let later = || {
        half("2-2");
        nobody()
    };
    // A collection that goes on has counted what is put meanwhile.
    let lease = cas.lease(&later).unwrap();
    assert!(!earlier("1-1").exists() && earlier("2-2").exists());
    lease.end().unwrap();
    cas.tidy(&nobody).unwrap();
    assert!(!earlier("2-2").exists());
    assert_eq!(count(&cas), before);
}

/// A name tells nothing of what a loss of power or a failing disk has left of an object.
#[test]
fn one_that_was_cut_short_is_as_good_as_none() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::open(dir.path());
    let (lease, objects) = (cas.lease(&nobody).unwrap(), cas.objects());
    for bytes in [&b"small"[..], &vec![7; 2 << 20]] {
        let put = objects.put(&lease, &mut &bytes[..]).unwrap();
        let path = objects.path(&put.digest);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(3).unwrap();
        assert!(objects.pin_all(&lease, &[(put.digest, put.size)]).unwrap().contains(&put.digest));
        assert!(objects.put(&lease, &mut &bytes[..]).unwrap().is_new);
        assert_eq!(objects.check(&put.digest).unwrap(), Some(true));
        assert!(objects.pin_all(&lease, &[(put.digest, put.size)]).unwrap().is_empty());
    }
    lease.end().unwrap();
}

#[test]
fn a_power_cut_leaves_nothing_to_build_upon() {
    let dir = tempfile::tempdir().unwrap();
    let cas = Cas::open(dir.path());
    let kept = publish(&cas, "kept", &files(1, 3));
    let lease = cas.lease(&nobody).unwrap();
    let half = cas.objects().put_bytes(&lease, b"was not synced").unwrap().digest;
    drop(lease);
    // What a power cut does: the file is there, what was in it is not, and the boot is another.
    let path = cas.objects().path(&half);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&path, b"").unwrap();
    let tmp = dir.path().join("cas/tmp");
    // The list of what its writer counted on may have come to disk all the same.
    let earlier = tmp.join("lease-00000000000000000000000000000000-1-1");
    std::fs::write(earlier, half.as_bytes()).unwrap();
    let lease = cas.lease(&nobody).unwrap();
    assert!(cas.objects().put_bytes(&lease, b"was not synced").unwrap().is_new);
    assert_eq!(cas.objects().check(&half).unwrap(), Some(true));
    assert_eq!(cas.objects().check(&kept).unwrap(), Some(true));
}

#[test]
fn writers_and_collectors_side_by_side_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u8)
            .map(|writer| {
                let cas = Cas::open(dir.path());
                scope.spawn(move || {
                    for round in 0..60_u8 {
                        // Much the same files each time, so that garbage comes back into use.
                        let files = files(round % 3, 4 + usize::from(round % 5));
                        let name = format!("{writer}");
                        publish(&cas, &name, &files);
                        for bytes in &files {
                            let path = cas.objects().path(&Digest::of(bytes));
                            assert_eq!(&std::fs::read(path).unwrap(), bytes);
                        }
                        cas.refs().remove(RefKind::Manifests, &name).unwrap();
                    }
                })
            })
            .collect();
        let over = &over;
        for _ in 0..2 {
            let cas = Cas::open(dir.path());
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    cas.collect(&nobody).unwrap();
                }
            });
        }
        let results: Vec<_> =
            writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
    let cas = Cas::open(dir.path());
    cas.collect(&nobody).unwrap();
    assert_eq!(count(&cas), 0);
}

#[test]
fn a_folder_is_stored_and_not_read_twice() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::create_dir_all(from.join("a/b")).unwrap();
    std::fs::write(from.join("a/one"), "one").unwrap();
    std::fs::write(from.join("a/b/two"), "two").unwrap();
    std::fs::hard_link(from.join("a/one"), from.join("three")).unwrap();
    std::os::unix::fs::symlink("a", from.join("link")).unwrap();
    let sparse = std::fs::File::create(from.join("sparse")).unwrap();
    sparse.set_len(10 << 20).unwrap();
    std::os::unix::fs::FileExt::write_at(&sparse, b"in the middle", 5 << 20).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(60));
    let cas = Cas::open(dir.path());
    let build = || {
        let lease = cas.lease(&nobody).unwrap();
        let built = cas.build(&lease, &from, &Default::default(), &crate::Silent).unwrap();
        lease.sync().unwrap();
        let value = json!({ "tree": built.tree.to_string() });
        cas.refs().write(RefKind::Manifests, "from", &value).unwrap();
        lease.end().unwrap();
        built
    };
    let first = build();
    assert_eq!((first.entries, first.size), (8, 6 + (10 << 20)));
    assert_eq!(first.new, first.size);
    let hidden = cas.objects().path(&Digest::of(b"two"));
    let second = build();
    assert_eq!((second.tree, second.new), (first.tree, 0));
    // One that is lost from the store comes back, and one that has changed is read.
    std::fs::remove_file(&hidden).unwrap();
    assert_eq!((build().new, hidden.exists()), (3, true));
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&hidden, "").unwrap();
    assert_eq!((build().new, std::fs::read(&hidden).unwrap()), (3, b"two".to_vec()));
    std::fs::write(from.join("a/b/two"), "owt").unwrap();
    let third = build();
    assert!(third.tree != first.tree && third.new == 3);
}
