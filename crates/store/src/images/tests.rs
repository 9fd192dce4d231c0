//! Names, publishing, removal and what crashes leave, on a real file system.

use super::*;
use crate::Silent;
use std::os::unix::fs::PermissionsExt;

fn images() -> (tempfile::TempDir, Images) {
    let dir = tempfile::tempdir().unwrap();
    let images = Images::open(dir.path(), !rustix::process::geteuid().is_root());
    (dir, images)
}

fn name(text: &str) -> ImageRef {
    text.parse().unwrap()
}

fn nobody(_: &TreeId) -> Vec<String> {
    Vec::new()
}

/// A tar archive with one file of this content.
fn tarball(content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, "file", content).unwrap();
    builder.into_inner().unwrap()
}

fn import(images: &Images, text: &str, content: &[u8]) -> Image {
    let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
    images.import_tar(&name(text), &tarball(content)[..], options, &Silent).unwrap()
}

fn clean(images: &Images) {
    assert_eq!(images.check(&nobody).unwrap(), []);
}

#[test]
fn what_is_imported_is_listed_and_inspected() {
    let (_dir, images) = images();
    assert_eq!(images.list().unwrap(), []);
    let image = import(&images, "web:1.2", b"hello");
    assert_eq!(images.inspect(&name("web:1.2")).unwrap(), image);
    assert_eq!(images.list().unwrap(), std::slice::from_ref(&image));
    assert_eq!(image.entries, 2);
    assert!(image.size > 0);
    let root = images.root(&name("web:1.2")).unwrap();
    assert_eq!(fs::read(root.join("file")).unwrap(), b"hello");
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o755);
    clean(&images);
}

#[test]
fn what_is_not_there_is_not_found() {
    let (_dir, images) = images();
    let web = name("web");
    assert!(matches!(images.inspect(&web), Err(Error::NotFound(_))));
    assert!(matches!(images.root(&web), Err(Error::NotFound(_))));
    assert!(matches!(images.delete(&web, &nobody), Err(Error::NotFound(_))));
    assert!(matches!(images.tag(&web, &name("x"), Existing::Refuse), Err(Error::NotFound(_))));
    let export = images.export(&web, &mut Vec::new(), &ExportOptions::default(), &Silent);
    assert!(matches!(export, Err(Error::NotFound(_))));
}

#[test]
fn a_taken_name_is_refused_unless_replacing() {
    let (dir, images) = images();
    let old = import(&images, "web", b"old");
    let again = images.import_tar(&name("web"), &tarball(b"new")[..], Default::default(), &Silent);
    assert!(matches!(again, Err(Error::Exists(_))));
    assert!(
        fs::read_dir(dir.path().join("tmp")).unwrap().all(|e| e.unwrap().file_name() == ".gate")
    );
    let new = import(&images, "web", b"new");
    assert_ne!(old.tree, new.tree);
    // The old tree is there for its containers until a sweep finds that there are none.
    assert!(images.tree_root(&old.tree).is_dir());
    let used = |tree: &TreeId| if *tree == old.tree { vec!["c1".to_owned()] } else { vec![] };
    assert_eq!(images.check(&used).unwrap(), []);
    assert_eq!(images.sweep(&used).unwrap(), []);
    assert_eq!(images.sweep(&nobody).unwrap().len(), 1);
    assert!(!images.tree_root(&old.tree).exists());
    clean(&images);
}

#[test]
fn two_names_share_one_tree() {
    let (_dir, images) = images();
    let one = import(&images, "web", b"x");
    let two =
        images.tag(&name("web"), &name("registry.example/team/web:2"), Existing::Refuse).unwrap();
    assert_eq!(one.tree, two.tree);
    assert!(matches!(images.tag(&name("web"), &two.name, Existing::Refuse), Err(Error::Exists(_))));
    images.delete(&name("web"), &|_| vec!["c1".into()]).unwrap();
    assert_eq!(images.list().unwrap(), std::slice::from_ref(&two));
    assert!(images.root(&two.name).unwrap().join("file").exists());
    let last = images.delete(&two.name, &|_| vec!["c1".into()]);
    assert!(matches!(last, Err(Error::InUse { users, .. }) if users == ["c1"]));
    images.delete(&two.name, &nobody).unwrap();
    assert!(!images.tree_root(&one.tree).exists());
    clean(&images);
}

#[test]
fn a_tree_that_is_read_is_not_deleted() {
    let (_dir, images) = images();
    let image = import(&images, "web", b"x");
    let reading = images.read_tree(&image.tree).unwrap();
    assert!(matches!(images.delete(&image.name, &nobody), Err(Error::InUse { .. })));
    drop(reading);
    images.delete(&image.name, &nobody).unwrap();
    clean(&images);
}

#[test]
fn the_longest_names_are_stored() {
    let (_dir, images) = images();
    let long = format!("{}:{}", vec!["a"; 100].join("/"), "t".repeat(128));
    let other = format!("{}:{}", vec!["a"; 100].join("/"), "u".repeat(128));
    import(&images, &long, b"x");
    import(&images, &other, b"x");
    assert_eq!(images.list().unwrap().len(), 2);
    images.delete(&name(&long), &nobody).unwrap();
    assert_eq!(images.list().unwrap()[0].name, name(&other));
    clean(&images);
}

#[test]
fn what_crashes_leave_is_found_and_removed() {
    let (dir, images) = images();
    let image = import(&images, "web", b"x");
    let lib = dir.path();
    // Killed while building, between publishing and naming, while writing a ref, while removing.
    fs::create_dir_all(lib.join("tmp/image-dead/rootfs")).unwrap();
    fs::create_dir_all(lib.join(format!("images/trees/{}/rootfs", TreeId::fresh()))).unwrap();
    fs::write(lib.join("images/refs/.volt-abc"), "half").unwrap();
    fs::create_dir_all(lib.join("tmp/trash-dead/tree/rootfs")).unwrap();
    let found = images.check(&nobody).unwrap();
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(images.sweep(&nobody).unwrap().len(), 4);
    clean(&images);
    assert_eq!(images.list().unwrap(), [image]);
}

#[test]
fn what_is_under_way_is_left_alone() {
    let (dir, images) = images();
    import(&images, "web", b"x");
    let stage = Stage::new(&dir.path().join("tmp"), "image").unwrap();
    clean(&images);
    assert_eq!(images.sweep(&nobody).unwrap(), []);
    assert!(stage.path().exists());
}

#[test]
fn damage_is_found_and_repaired() {
    let (dir, images) = images();
    let lost = import(&images, "lost", b"x");
    import(&images, "broken", b"y");
    let good = import(&images, "good", b"z");
    fs::remove_dir_all(images.tree_root(&lost.tree)).unwrap();
    fs::write(dir.path().join("images/refs/broken%3Alatest.json"), "{").unwrap();
    assert_eq!(images.list().unwrap().len(), 2);
    let used = |tree: &TreeId| if *tree == lost.tree { vec!["c1".to_owned()] } else { vec![] };
    let found = images.check(&used).unwrap();
    assert!(found.iter().any(|p| matches!(p, Problem::NoTree { name } if *name == lost.name)));
    assert!(found.iter().any(|p| matches!(p, Problem::LostTree { users, .. } if users == &["c1"])));
    assert!(found.iter().any(|p| matches!(p, Problem::BrokenRef { .. })));
    // While a ref is broken no tree is garbage, so nothing but names goes in the first round.
    images.repair(&nobody).unwrap();
    images.repair(&nobody).unwrap();
    clean(&images);
    assert_eq!(images.list().unwrap(), [good]);
}

#[test]
fn a_cancelled_import_leaves_nothing() {
    struct GivesUp;
    impl crate::Progress for GivesUp {
        fn step(&self, _: &str) {}
        fn bytes(&self, _: u64, _: Option<u64>) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let (_dir, images) = images();
    let result = images.import_tar(&name("web"), &tarball(b"x")[..], Default::default(), &GivesUp);
    assert!(matches!(result, Err(Error::Cancelled)));
    clean(&images);
    assert_eq!(images.list().unwrap(), []);
}

#[test]
fn a_folder_is_imported_without_the_store_itself() {
    let (dir, images) = images();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let mine = Images::open(&dir.path().join("sub"), images.is_rootless());
    fs::write(dir.path().join("file"), "x").unwrap();
    fs::hard_link(dir.path().join("file"), dir.path().join("second")).unwrap();
    let image = mine.import_dir(&name("web"), dir.path(), Default::default(), &Silent).unwrap();
    let root = mine.root(&image.name).unwrap();
    assert!(root.join("file").exists() && !root.join("sub").exists());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(root.join("second")).unwrap().nlink(), 2);
    assert_eq!(image.neutralised.len(), 1);
    assert_eq!(image.neutralised[0].entry, "sub");
    clean(&mine);
}

#[test]
fn imports_and_deletes_side_by_side() {
    let (_dir, images) = images();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let images = &images;
            scope.spawn(move || {
                for round in 0..10 {
                    import(images, "shared", format!("{worker} {round}").as_bytes());
                    import(images, &format!("own-{worker}"), b"x");
                    images.sweep(&nobody).unwrap();
                    images.delete(&name(&format!("own-{worker}")), &nobody).unwrap();
                }
            });
        }
    });
    images.sweep(&nobody).unwrap();
    clean(&images);
    assert_eq!(images.list().unwrap().len(), 1);
    assert!(images.root(&name("shared")).unwrap().join("file").exists());
}
