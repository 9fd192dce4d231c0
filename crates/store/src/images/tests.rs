//! Names, publishing, removal and what crashes leave, on a real file system.

use super::*;
use crate::Silent;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;

fn images() -> (tempfile::TempDir, Images) {
    let dir = tempfile::tempdir().unwrap();
    let images = Images::open(dir.path(), !rustix::process::geteuid().is_root());
    (dir, images)
}

fn name(text: &str) -> ImageRef {
    text.parse().unwrap()
}

fn nobody(_: &Digest) -> Vec<String> {
    Vec::new()
}

/// Work that nobody watches, where no container is.
pub(crate) fn work() -> Work<'static> {
    Work { wanted: &|| Ok(Vec::new()), progress: &Silent }
}

/// A copy of an image's tree, below a folder of the test's.
pub(crate) fn copied(images: &Images, name: &ImageRef, below: &Path) -> PathBuf {
    let to = (0..).map(|n| below.join(format!("copy-{n}"))).find(|to| !to.exists()).unwrap();
    images.cas.roots().copy(&images.inspect(name).unwrap().tree, &to).unwrap();
    to
}

/// What nobody reaches any more goes; how many objects that was.
fn collect(images: &Images) -> u64 {
    images.cas.collect(&|| Ok(Vec::new())).unwrap().objects
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
    images.import_tar(&name(text), Cursor::new(tarball(content)), options, work()).unwrap()
}

fn clean(images: &Images) {
    assert_eq!(images.check(&nobody).unwrap(), []);
}

#[test]
fn what_is_imported_is_listed_and_inspected() {
    let (dir, images) = images();
    assert_eq!(images.list().unwrap(), []);
    let image = import(&images, "web:1.2", b"hello");
    assert_eq!(images.inspect(&name("web:1.2")).unwrap(), image);
    assert_eq!(images.list().unwrap(), std::slice::from_ref(&image));
    assert_eq!(image.entries, 2);
    assert_eq!(image.size, 5);
    let root = copied(&images, &name("web:1.2"), dir.path());
    assert_eq!(fs::read(root.join("file")).unwrap(), b"hello");
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o7777, 0o755);
    clean(&images);
}

#[test]
fn what_is_not_there_is_not_found() {
    let (_dir, images) = images();
    let web = name("web");
    assert!(matches!(images.inspect(&web), Err(Error::NotFound(_))));
    assert!(matches!(images.delete(&web, &nobody), Err(Error::NotFound(_))));
    assert!(matches!(images.tag(&web, &name("x"), Existing::Refuse), Err(Error::NotFound(_))));
    let export = images.export(&web, &mut Vec::new(), &ExportOptions::default(), &Silent);
    assert!(matches!(export, Err(Error::NotFound(_))));
}

#[test]
fn a_taken_name_is_refused_unless_replacing() {
    let (dir, images) = images();
    let old = import(&images, "web", b"old");
    let new = Cursor::new(tarball(b"new"));
    let again = images.import_tar(&name("web"), new, Default::default(), work());
    assert!(matches!(again, Err(Error::Exists(_))));
    let new = import(&images, "web", b"new");
    assert_ne!(old.tree, new.tree);
    // The old tree is there for its containers until a collection finds that there are none.
    let wanted = || Ok(vec![old.tree]);
    assert_eq!(images.cas.collect(&wanted).unwrap().objects, 0);
    assert_eq!(collect(&images), 2);
    assert!(!images.cas.objects().has(&old.tree).unwrap());
    clean(&images);
    let _keep = dir;
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
    assert_eq!(collect(&images), 0);
    let last = images.delete(&two.name, &|_| vec!["c1".into()]);
    assert!(matches!(last, Err(Error::InUse { users, .. }) if users == ["c1"]));
    images.delete(&two.name, &nobody).unwrap();
    assert_eq!(collect(&images), 2);
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
    fs::create_dir_all(dir.path().join("tmp/image-dead/rootfs")).unwrap();
    let found = images.check(&nobody).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(images.repair(&nobody).unwrap().len(), 1);
    clean(&images);
    // What is under way is left alone.
    let stage = volt_host::files::Stage::new(&dir.path().join("tmp"), "image").unwrap();
    clean(&images);
    assert_eq!(images.repair(&nobody).unwrap(), []);
    assert!(stage.path().exists());
    assert_eq!(images.list().unwrap(), [image]);
}

#[test]
fn damage_is_found_and_repaired() {
    let (dir, images) = images();
    let lost = import(&images, "lost", b"x");
    import(&images, "broken", b"y");
    let good = import(&images, "good", b"z");
    fs::remove_file(images.cas.objects().path(&lost.tree)).unwrap();
    fs::write(dir.path().join("cas/refs/images/broken%3Alatest.json"), "{").unwrap();
    assert_eq!(images.list().unwrap().len(), 2);
    let used = |tree: &Digest| if *tree == lost.tree { vec!["c1".to_owned()] } else { vec![] };
    let found = images.check(&used).unwrap();
    let gone = |users: &[&str]| Problem::NoTree {
        name: lost.name.clone(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
    };
    assert!(found.contains(&gone(&["c1"])), "{found:?}");
    assert!(found.iter().any(|p| matches!(p, Problem::BrokenRef { .. })));
    // While a name is broken nothing is garbage.
    assert!(images.cas.collect(&|| Ok(Vec::new())).is_err());
    images.repair(&nobody).unwrap();
    // What could be read once is kept, and a name whose files may come back.
    assert_eq!(fs::read(dir.path().join("cas/quarantine/broken%3Alatest.json")).unwrap(), b"{");
    assert_eq!(images.check(&nobody).unwrap(), [gone(&[])]);
    images.delete(&lost.name, &nobody).unwrap();
    clean(&images);
    assert_eq!(images.list().unwrap(), [good]);
    assert!(collect(&images) > 0);
}

/// A loss of power leaves what nobody can tell from what damaged names and trees need: that keeps nobody from mending them.
#[test]
fn what_a_power_cut_and_a_damage_left_is_mended_by_importing_again() {
    for what in ["tree", "name", "tree after a verification", "name after a verification"] {
        let (dir, images) = images();
        import(&images, "other", b"other");
        let web = import(&images, "web", b"web");
        let object = images.cas.objects().path(&web.tree);
        let is_tree = what.starts_with("tree");
        let bad =
            if is_tree { object } else { dir.path().join("cas/refs/images/web%3Alatest.json") };
        let length = fs::metadata(&bad).unwrap().len();
        fs::set_permissions(&bad, PermissionsExt::from_mode(0o644)).unwrap();
        fs::write(&bad, vec![b'x'; usize::try_from(length).unwrap()]).unwrap();
        // What nobody could sync has its length and not its contents.
        let half = images.cas.objects().path(&Digest::of(b"half"));
        fs::write(&half, "\0\0\0\0").unwrap();
        let lease = dir.path().join("cas/tmp/lease-00000000000000000000000000000000-1-0");
        fs::write(&lease, Digest::of(b"half").as_bytes()).unwrap();
        if what.ends_with("verification") {
            assert!(!images.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap().damages.is_empty());
        }
        import(&images, "new", b"half");
        assert!(!lease.exists() && fs::read(&half).unwrap() == b"half", "{what}");
        assert!(images.cas.collect(&|| Ok(Vec::new())).is_err(), "{what}: nothing goes");
        assert_eq!(import(&images, "web", b"web").tree, web.tree);
        assert!(images.cas.verify(&|| Ok(Vec::new()), &Silent).unwrap().damages.is_empty());
        collect(&images);
        assert_eq!(fs::read(copied(&images, &web.name, dir.path()).join("file")).unwrap(), b"web");
        clean(&images);
    }
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
    let given_up = Work { progress: &GivesUp, ..work() };
    let archive = Cursor::new(tarball(b"x"));
    let result = images.import_tar(&name("web"), archive, Default::default(), given_up);
    assert!(matches!(result, Err(Error::Cancelled)));
    clean(&images);
    assert_eq!(collect(&images), 0);
    assert_eq!(images.list().unwrap(), []);
}

#[test]
fn what_is_refused_waits_for_no_more_of_the_archive() {
    struct Stalled(Cursor<Vec<u8>>, std::sync::mpsc::Receiver<()>);
    impl std::io::Read for Stalled {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer)? {
                // Until the test is over.
                0 => Ok(self.1.recv().map_or(0, |()| 0)),
                length => Ok(length),
            }
        }
    }
    let (_dir, images) = images();
    let mut archive = tarball(b"x");
    archive.truncate(1024);
    archive.extend(tarball(&vec![0; 400 << 10]));
    archive.truncate(300 << 10);
    let limits = Limits { entries: 0, ..Limits::default() };
    let options = ImportOptions { limits, ..ImportOptions::default() };
    let (_open, more) = std::sync::mpsc::channel();
    let archive = Stalled(Cursor::new(archive), more);
    let result = images.import_tar(&name("web"), archive, options, work());
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    clean(&images);
}

#[test]
fn a_folder_is_imported_without_the_store_itself() {
    let (dir, images) = images();
    fs::create_dir(dir.path().join("sub")).unwrap();
    let mine = Images::open(&dir.path().join("sub"), images.is_rootless());
    fs::write(dir.path().join("file"), "x").unwrap();
    fs::hard_link(dir.path().join("file"), dir.path().join("second")).unwrap();
    let image = mine.import_dir(&name("web"), dir.path(), Default::default(), work()).unwrap();
    let beside = tempfile::tempdir().unwrap();
    let root = copied(&mine, &image.name, beside.path());
    assert!(root.join("file").exists() && !root.join("sub").exists());
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(root.join("second")).unwrap().nlink(), 2);
    assert_eq!(image.neutralised.len(), 1);
    assert_eq!(image.neutralised[0].entry, "sub");
    clean(&mine);
}

#[test]
fn imports_and_deletes_side_by_side() {
    let (dir, images) = images();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let images = &images;
            scope.spawn(move || {
                for round in 0..10 {
                    import(images, "shared", format!("{worker} {round}").as_bytes());
                    import(images, &format!("own-{worker}"), b"x");
                    collect(images);
                    images.delete(&name(&format!("own-{worker}")), &nobody).unwrap();
                }
            });
        }
    });
    clean(&images);
    assert_eq!(images.list().unwrap().len(), 1);
    assert!(copied(&images, &name("shared"), dir.path()).join("file").exists());
}

#[test]
fn a_tree_stands_where_an_image_does() {
    let (dir, images) = images();
    let web = import(&images, "web:1.2", b"hello");
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "other").unwrap();
    let nobody = || Ok(Vec::new());
    let built = images.cas().store(&folder, &"site".parse().unwrap(), &nobody, &Silent).unwrap();
    let find = |text: &str| images.find(&text.parse().unwrap());
    assert_eq!(find("web:1.2").unwrap().image, web);
    assert_eq!(find("stellarium://web:1.2").unwrap().image, web);
    assert_eq!(find("stellarium://images/web:1.2").unwrap().image, web);
    let site = find("stellarium://site").unwrap();
    assert_eq!((site.image.tree, site.image.size), (built.tree, 5));
    assert_eq!(site.image.name.to_string(), format!("site@{}", built.tree));
    assert!(matches!(find("site"), Err(Error::NotFound(_))));
    assert!(matches!(find("stellarium://none"), Err(Error::NoTree(_))));
    // It stays while somebody is about to use it, and no longer.
    images.cas().forget(&"site".parse().unwrap()).unwrap();
    assert_eq!(collect(&images), 0);
    let by_digest = format!("stellarium://{}", built.tree);
    drop((find(&by_digest).unwrap(), site));
    assert_eq!(collect(&images), 2);
    assert!(matches!(find(&by_digest), Err(Error::NoTree(_))));
}
