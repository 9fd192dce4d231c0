//! Both forms have all that a tree has, and share what they can.

use super::*;

#[test]
fn an_image_has_every_attribute() {
    if !inside("forms::an_image_has_every_attribute") {
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
    if !inside("forms::hard_links_have_every_attribute") {
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
        crate::roots::links::check(nodes, &links, &crate::roots::links::has_contents).unwrap()
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
    if !inside("forms::two_trees_share_variants_and_a_sweep_takes_what_is_left") {
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
