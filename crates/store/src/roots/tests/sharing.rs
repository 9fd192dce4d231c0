//! Variants on a file system that lets files share data.

use super::*;

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
    if !inside("sharing::variants_share_their_data_where_the_file_system_can") {
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
