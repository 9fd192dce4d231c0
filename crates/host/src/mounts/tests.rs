//! The parser everywhere; real mounts as root, each test in a mount namespace of its own thread.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// Runs a test in a private mount namespace, which takes its mounts with it.
fn in_namespace(test: impl FnOnce(&Path) + Send) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            use rustix::thread::{UnshareFlags, unshare_unsafe};
            // SAFETY: a new mount namespace and own root/cwd for this thread only.
            unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS) }.unwrap();
            make_private(Path::new("/")).unwrap();
            test(dir.path());
        });
        worker.join().unwrap();
    });
}

struct Tree {
    upper: PathBuf,
    work: PathBuf,
    lower: PathBuf,
    target: PathBuf,
}

fn tree(dir: &Path) -> Tree {
    let tree = Tree {
        upper: dir.join("c/upper"),
        work: dir.join("c/work"),
        lower: dir.join("image, with: \\odd name"),
        target: dir.join("c/rootfs"),
    };
    for path in [&tree.upper, &tree.work, &tree.lower, &tree.target] {
        fs::create_dir_all(path).unwrap();
    }
    fs::write(tree.lower.join("file"), "from the image").unwrap();
    std::os::unix::fs::chown(tree.lower.join("file"), Some(33), Some(33)).unwrap();
    tree
}

fn overlay<'a>(tree: &'a Tree, lower: &'a [Layer<'a>], idmap: Option<IdMap>) -> Overlay<'a> {
    Overlay {
        lower,
        writable: Some((&tree.upper, &tree.work)),
        target: &tree.target,
        idmap,
        attributes: MountAttributes::MOUNT_ATTR_NODEV,
        source: "volt",
    }
}

#[test]
fn a_layer_left_by_a_kill_is_no_root() {
    in_namespace(|dir| {
        let tree = tree(dir);
        let lower = [Layer::Folder(&tree.lower)];
        let overlay = overlay(&tree, &lower, Some(IdMap::of(1 << 20)));
        let whole = || is_overlay_root(overlay.target, overlay.source).unwrap();
        assert!(!whole());
        bind(&tree.lower, overlay.target, None, MountAttributes::empty()).unwrap();
        bind(&tree.lower, overlay.target, None, MountAttributes::empty()).unwrap();
        assert!(!whole() && !is_mount_point(overlay.target).unwrap());
        overlay_root(&overlay).unwrap();
        assert!(whole() && is_mount_point(overlay.target).unwrap());
    });
}

#[test]
fn overlay_of_idmapped_layers_keeps_ids_on_disk() {
    in_namespace(|dir| {
        let tree = tree(dir);
        let base = 1 << 19;
        overlay_root(&overlay(&tree, &[Layer::Folder(&tree.lower)], Some(IdMap::of(base))))
            .unwrap();
        let inside = tree.target.join("file");
        assert_eq!(fs::metadata(&inside).unwrap().uid(), base + 33);
        // As the container's root would: written as `base`, 0 on disk.
        let new = tree.target.join("new");
        fs::write(&new, "x").unwrap();
        std::os::unix::fs::chown(&new, Some(base), Some(base)).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(&inside).unwrap();
        assert_eq!(fs::metadata(tree.upper.join("new")).unwrap().uid(), 0);
        let entries = mounts_below(&tree.target).unwrap();
        assert_eq!(entries.len(), 1, "no layer stays: {entries:?}");
        assert_eq!((entries[0].fs_type.as_str(), entries[0].source.as_str()), ("overlay", "volt"));
        assert!(entries[0].options.contains("nodev"), "{entries:?}");
        assert!(is_mount_point(&tree.target).unwrap());
        let error = overlay_root(&overlay(&tree, &[Layer::Folder(&tree.lower)], None)).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::ResourceBusy);
        assert_eq!(unmount_all(&tree.target, Unmount::Now).unwrap(), 1);
        assert!(!is_mount_point(&tree.target).unwrap());
        assert!(fs::metadata(tree.lower.join("file")).unwrap().uid() == 33);
    });
}

#[test]
fn an_overlay_has_no_maps_of_ids() {
    in_namespace(|dir| {
        let tree = tree(dir);
        assert!(can_map_ids(&tree.lower).unwrap());
        overlay_root(&overlay(&tree, &[Layer::Folder(&tree.lower)], None)).unwrap();
        assert!(!can_map_ids(&tree.target).unwrap());
        assert!(can_map_ids(&dir.join("nothing")).is_err());
    });
}

#[test]
fn overlay_undoes_on_failure() {
    in_namespace(|dir| {
        let tree = tree(dir);
        fs::remove_dir(&tree.work).unwrap();
        let map = Some(IdMap::of(1 << 19));
        let error = overlay_root(&overlay(&tree, &[Layer::Folder(&tree.lower)], map)).unwrap_err();
        assert!(error.to_string().contains("cannot mount on"), "{error}");
        assert!(!is_mount_point(&tree.target).unwrap());
        let gone = dir.join("gone");
        assert!(
            overlay_root(&overlay(&tree, &[Layer::Folder(&tree.lower), Layer::Folder(&gone)], map))
                .is_err()
        );
        assert!(!is_mount_point(&tree.target).unwrap());
    });
}

#[test]
fn overlay_of_many_layers_takes_the_old_call() {
    in_namespace(|dir| {
        let tree = tree(dir);
        let layers: Vec<PathBuf> = (0..40).map(|n| dir.join(format!("layer{n}"))).collect();
        for (n, layer) in layers.iter().enumerate() {
            fs::create_dir(layer).unwrap();
            fs::write(layer.join(n.to_string()), "").unwrap();
        }
        let lower: Vec<Layer<'_>> = layers.iter().map(|path| Layer::Folder(path)).collect();
        for idmap in [None, Some(IdMap::of(1 << 20))] {
            overlay_root(&overlay(&tree, &lower, idmap)).unwrap();
            assert_eq!(fs::read_dir(&tree.target).unwrap().count(), 40);
            let entries = mounts_below(&tree.target).unwrap();
            assert!(entries.len() == 1 && entries[0].options.contains("nodev"), "{entries:?}");
            assert_eq!(unmount_all(&tree.target, Unmount::Now).unwrap(), 1);
        }
    });
}

#[test]
fn binds_are_mapped_and_read_only() {
    in_namespace(|dir| {
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs::create_dir_all(&from).unwrap();
        fs::create_dir_all(&to).unwrap();
        fs::write(from.join("f"), "").unwrap();
        let map = UserNamespace::new(IdMap::of(70000)).unwrap();
        bind(&from, &to, Some(&map), MountAttributes::MOUNT_ATTR_RDONLY).unwrap();
        assert_eq!(fs::metadata(to.join("f")).unwrap().uid(), 70000);
        let error = fs::write(to.join("g"), "").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(unmount(&to, Unmount::Lazy).unwrap());
        assert!(!unmount(&to, Unmount::Lazy).unwrap());
        assert!(!unmount(&dir.join("gone"), Unmount::Now).unwrap());
    });
}

#[test]
fn probing_leaves_nothing() {
    in_namespace(|dir| {
        if let Err(error) = probe_images(dir) {
            println!("SKIPPED: {error}");
        }
        assert!(mounts_below(dir).unwrap().is_empty());
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    });
}

#[test]
fn mountinfo_lines() {
    let text = b"36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue\n\
        garbage\n\
        37 36 0:5 / /x\\134y ro - tmpfs tmpfs\n";
    let entries = parse_mountinfo(text);
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].mount_point, Path::new("/mnt/a b"));
    assert_eq!((entries[0].fs_type.as_str(), entries[0].parent), ("ext4", 35));
    assert_eq!(entries[1].mount_point, Path::new("/x\\y"));
    assert!(mounts().unwrap().iter().any(|m| m.mount_point == Path::new("/")));
}

proptest! {
    #[test]
    fn mountinfo_never_panics(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        parse_mountinfo(&text);
    }

    #[test]
    fn mountinfo_paths_read_back(name in "[^\0]{1,40}") {
        let escaped: String = name.bytes().map(|b| format!("\\{b:03o}")).collect();
        let line = format!("1 0 0:1 / /{escaped} rw - tmpfs none rw");
        let entries = parse_mountinfo(line.as_bytes());
        prop_assert_eq!(&entries[0].mount_point, &PathBuf::from(format!("/{name}")));
    }
}
