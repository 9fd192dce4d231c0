//! What is damaged or missing reaches nobody, and is made again.

use super::*;

#[test]
fn what_is_corrupt_or_missing_is_an_error() {
    if !inside("damage::what_is_corrupt_or_missing_is_an_error") {
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
    if !inside("damage::a_root_is_read_once_after_a_boot_and_made_again_where_it_is_damaged") {
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
    if !inside("damage::a_verification_reads_roots_and_mends_them_where_they_are") {
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

/// An object that is bad is bad in all roots that have it for a file.
#[test]
fn what_is_known_to_be_damaged_reaches_nobody_by_another_root() {
    if !inside("damage::what_is_known_to_be_damaged_reaches_nobody_by_another_root") {
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
