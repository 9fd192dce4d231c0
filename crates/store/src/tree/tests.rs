//! Trees: every attribute, from a folder to an image, to an archive and back, and to other readers of archives.

use crate::images::tests::{copied, work};
use crate::{Compression, Error, Existing, ExportOptions, Images, ImportOptions, Limits, Silent};
use rustix::buffer::spare_capacity;
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Cursor, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use volt_model::image::ImageRef;

fn name(text: &str) -> ImageRef {
    text.parse().unwrap()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// All that is to be kept of one entry, found out by other means than the store's own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: String,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: (i64, i64),
    pub(crate) content: Vec<u8>,
    pub(crate) blocks: Option<u64>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Every entry that is the same file; the first by name.
    pub(crate) first: OsString,
}

pub(crate) fn look(root: &Path) -> BTreeMap<OsString, Seen> {
    let mut all = BTreeMap::new();
    let mut first = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    let mut paths = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let meta = fs::symlink_metadata(&path).unwrap();
        let relative = path.strip_prefix(root).unwrap().as_os_str().to_owned();
        let key = if meta.is_dir() { (0, 0) } else { (meta.dev(), meta.ino()) };
        let first =
            if meta.is_dir() { &relative } else { first.entry(key).or_insert(relative.clone()) };
        let content = match meta.file_type() {
            kind if kind.is_symlink() => {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            }
            kind if kind.is_file() && meta.len() < 1 << 20 => fs::read(&path).unwrap(),
            _ => Vec::new(),
        };
        let seen = Seen {
            kind: format!("{:?}", meta.file_type()),
            mode: meta.permissions().mode(),
            owner: (meta.uid(), meta.gid()),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            content,
            blocks: meta.is_file().then(|| meta.blocks()),
            xattrs: xattrs(&path),
            first: first.clone(),
        };
        all.insert(relative, seen);
    }
    all
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = Vec::with_capacity(4096);
    rustix::fs::llistxattr(path, spare_capacity(&mut names)).unwrap();
    let names = names.split(|b| *b == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = Vec::with_capacity(65536);
        rustix::fs::lgetxattr(path, name, spare_capacity(&mut value)).unwrap();
        (name.to_vec(), value)
    };
    names.map(value).collect()
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
}

pub(crate) fn set_mtime(path: &Path, tv_sec: i64, tv_nsec: i64) {
    let time = Timespec { tv_sec, tv_nsec };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// `cap_net_bind_service=ep`, as the kernel keeps it.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Access for one more user: version, then tag, permissions and id of each entry.
fn access_list() -> Vec<u8> {
    let mut list = 2u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1u16, 6u16, u32::MAX),
        (2, 4, 1000),
        (4, 4, u32::MAX),
        (16, 4, u32::MAX),
        (32, 0, u32::MAX),
    ] {
        list.extend_from_slice(&tag.to_le_bytes());
        list.extend_from_slice(&permissions.to_le_bytes());
        list.extend_from_slice(&id.to_le_bytes());
    }
    list
}

/// A tree with all that is hard to keep.
pub(crate) fn furnish(root: &Path) {
    let file = |name: &[u8], content: &[u8], mode: u32| {
        let path = root.join(OsStr::from_bytes(name));
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    };
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    std::os::unix::fs::symlink("usr/bin", root.join("bin")).unwrap();
    std::os::unix::fs::symlink("/absolute/and/not/there", root.join("dangling")).unwrap();
    std::os::unix::fs::symlink("t".repeat(1000), root.join("long-target")).unwrap();
    std::os::unix::fs::symlink(OsStr::from_bytes(&b"\xff".repeat(150)), root.join("odd-target"))
        .unwrap();
    file(b"usr/bin/su", b"#!", 0o4755);
    file(b"usr/bin/wall", b"#!", 0o2755);
    file(b"closed", b"secret", 0o600);
    file(b"empty-file", b"", 0o644);
    file(b"not-utf8-\xff\xfe", b"x", 0o644);
    file(b"new\nline \x1b[31m", b"x", 0o644);
    file(&[b'n'; 255], b"x", 0o644);
    fs::set_permissions(root.join("empty"), PermissionsExt::from_mode(0o1777)).unwrap();
    let listed = file(b"listed", b"x", 0o640);
    set_xattr(&listed, "user.note", b"a\0b\n");
    set_xattr(&listed, "user.empty", b"");
    set_xattr(&root.join("usr"), "user.folder", &[b'v'; 2000]);
    let deep = root.join(vec!["deep-folder-name"; 100].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("leaf"), "at the bottom").unwrap();
    let linked = file(b"zz-linked", b"many names", 0o644);
    for other in ["aa-linked", "usr/linked", "usr/bin/linked"] {
        fs::hard_link(&linked, root.join(other)).unwrap();
    }
    fs::hard_link(root.join("dangling"), root.join("dangling-too")).unwrap();
    rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o620), 0)
        .unwrap();
    fs::set_permissions(root.join("pipe"), PermissionsExt::from_mode(0o662)).unwrap();
    let mut holes = fs::File::create(root.join("holes")).unwrap();
    for at in [0, 10 << 20, 20 << 20] {
        holes.seek(std::io::SeekFrom::Start(at)).unwrap();
        holes.write_all(&[7; 4096]).unwrap();
    }
    holes.set_len(30 << 20).unwrap();
    drop(holes);
    fs::File::create(root.join("all-hole")).unwrap().set_len(5 << 20).unwrap();
    if is_root() {
        std::os::unix::fs::chown(root.join("closed"), Some(1234), Some(5678)).unwrap();
        std::os::unix::fs::chown(root.join("listed"), Some(3_000_000), Some(4_000_000)).unwrap();
        std::os::unix::fs::lchown(root.join("dangling"), Some(33), Some(33)).unwrap();
        set_xattr(&root.join("usr/bin/wall"), "security.capability", &CAPABILITY);
        set_xattr(&listed, "system.posix_acl_access", &access_list());
        set_xattr(&root.join("empty"), "system.posix_acl_default", &access_list());
        set_xattr(&root.join("pipe"), "system.posix_acl_access", &access_list());
    }
    set_mtime(&root.join("closed"), 1, 999_999_999);
    set_mtime(&root.join("empty-file"), -5, 250_000_000);
    set_mtime(&root.join("dangling"), 1_000_000_000, 0);
    set_mtime(&root.join("usr"), 2_000_000_000, 123_456_789);
    set_mtime(root, 1_234_567_890, 5);
}

struct Place {
    dir: tempfile::TempDir,
    images: Images,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("source")).unwrap();
        furnish(&dir.path().join("source"));
        let images = Images::open(&dir.path().join("lib"), !is_root());
        images
            .import_dir(&name("one"), &dir.path().join("source"), Default::default(), work())
            .unwrap();
        Self { dir, images }
    }

    fn root(&self, image: &str) -> std::path::PathBuf {
        copied(&self.images, &name(image), self.dir.path())
    }

    fn export(&self, image: &str, compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        let options = ExportOptions { compression, ..Default::default() };
        let exported = self.images.export(&name(image), &mut out, &options, &Silent).unwrap();
        assert_eq!(exported.left_out, []);
        out
    }
}

#[test]
fn a_folder_and_its_image_are_the_same() {
    let place = Place::new();
    let image = place.images.inspect(&name("one")).unwrap();
    assert_eq!(image.neutralised, []);
    assert_eq!(look(&place.dir.path().join("source")), look(&place.root("one")));
}

#[test]
fn to_an_archive_and_back() {
    let place = Place::new();
    let plain = place.export("one", Compression::None);
    // 40 MiB of holes are not in it.
    assert!(plain.len() < 2 << 20, "{}", plain.len());
    let want = look(&place.root("one"));
    for compression in [Compression::None, Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let archive = place.export("one", compression);
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        let image =
            place.images.import_tar(&name("two"), Cursor::new(archive), options, work()).unwrap();
        assert_eq!(image.neutralised, []);
        assert_eq!(want, look(&place.root("two")), "{compression:?}");
        assert!(place.export("two", Compression::None) == plain, "{compression:?}: other bytes");
    }
}

#[test]
fn gnu_tar_reads_ours_and_we_read_gnu_tar() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let path = |name: &str| place.dir.path().join(name);
    fs::write(path("ours.tar"), place.export("one", Compression::None)).unwrap();
    fs::create_dir(path("theirs")).unwrap();
    let options = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-p"];
    tar(&[&options[..], &["-xf", path("ours.tar").to_str().unwrap()]].concat(), &path("theirs"));
    let want = look(&path("source"));
    // GNU tar keeps no times before 1970 to the fraction, and lists `.` like any folder.
    assert_eq!(want, look(&path("theirs")));
    for format in [
        "--format=posix",
        "--sparse",
        "--sparse-version=0.0",
        "--sparse-version=0.1",
        "--format=gnu",
    ] {
        let archive = path("gnu.tar");
        let sparse = ["--sparse", format, "--xattrs", "--xattrs-include=*", "--numeric-owner"];
        let pax = format != "--format=gnu";
        let options = if pax { &sparse[..] } else { &["--sparse", format, "--numeric-owner"] };
        tar(&[options, &["-cf", archive.to_str().unwrap(), "."]].concat(), &path("source"));
        let options = ImportOptions { existing: Existing::Replace, ..Default::default() };
        let file = fs::File::open(&archive).unwrap();
        place.images.import_tar(&name("gnu"), file, options, work()).unwrap();
        let mut got = look(&place.root("gnu"));
        let mut want = look(&path("source"));
        if !pax {
            // The old format has whole seconds and no attributes.
            for seen in got.values_mut().chain(want.values_mut()) {
                seen.mtime.1 = 0;
                seen.xattrs.clear();
                seen.mode &= 0o170_000;
                seen.blocks = None;
            }
            let early = OsStr::new("empty-file");
            got.get_mut(early).unwrap().mtime.0 = 0;
            want.get_mut(early).unwrap().mtime.0 = 0;
        }
        for (path, seen) in &want {
            assert_eq!(Some(seen), got.get(path), "{format} {}", path.display());
        }
        assert_eq!(want.len(), got.len());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test runs the other implementation as a person would"
)]
fn tar(arguments: &[&str], folder: &Path) {
    let status =
        std::process::Command::new("tar").args(arguments).current_dir(folder).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_tar_crate_reads_ours() {
    let place = Place::new();
    let archive = place.export("one", Compression::None);
    let mut archive = tar::Archive::new(&archive[..]);
    let mut paths = 0;
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path_bytes().ends_with(b"leaf") {
            assert_eq!(entry.path_bytes().len(), 100 * 17 + 4);
        }
        paths += 1;
    }
    assert_eq!(paths, look(&place.root("one")).len());
}

#[test]
fn the_folders_of_a_tree_bring_no_umask_and_no_default_access_along() {
    let place = Place::new();
    let root = place.root("one");
    assert_eq!(
        fs::metadata(&root).unwrap().mode() & 0o7777,
        fs::metadata(place.dir.path().join("source")).unwrap().mode() & 0o7777
    );
    assert_eq!(fs::metadata(root.join("empty")).unwrap().mode() & 0o7777, 0o1777);
    let objects = fs::metadata(place.dir.path().join("lib/cas/objects")).unwrap();
    assert_eq!(objects.mode() & 0o777, 0o700);
}

#[test]
fn ids_of_a_container_are_shifted_back() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (name, uid) in
        [("root", 0x10_0000), ("www", 0x10_0000 + 33), ("host", 0), ("beyond", 0x20_0000)]
    {
        fs::write(dir.path().join(name), "").unwrap();
        std::os::unix::fs::chown(dir.path().join(name), Some(uid), Some(uid)).unwrap();
    }
    let mut out = Vec::new();
    let options = ExportOptions { id_base: 0x10_0000, ..Default::default() };
    Images::export_tree(dir.path(), &mut out, &options, &Silent).unwrap();
    let mut archive = tar::Archive::new(&out[..]);
    let owners: BTreeMap<Vec<u8>, u64> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path_bytes().to_vec(), entry.header().uid().unwrap()))
        .collect();
    for (name, uid) in [("root", 0), ("www", 33), ("host", 65534), ("beyond", 65534)] {
        assert_eq!(owners[name.as_bytes()], uid, "{name}");
    }
}

#[test]
fn devices_and_sockets_of_a_folder_are_left_out_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    drop(std::os::unix::net::UnixListener::bind(source.join("socket")).unwrap());
    if is_root() {
        let device = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(
            CWD,
            source.join("null"),
            FileType::CharacterDevice,
            Mode::RUSR,
            device,
        )
        .unwrap();
    }
    let images = Images::open(&dir.path().join("lib"), !is_root());
    let image = images.import_dir(&name("x"), &source, Default::default(), work()).unwrap();
    assert_eq!(image.entries, 1);
    assert!(image.neutralised.iter().any(|n| n.entry == "socket" && n.what.contains("socket")));
    assert_eq!(image.neutralised.len(), if is_root() { 2 } else { 1 });
    let mut out = Vec::new();
    let exported =
        Images::export_tree(&source, &mut out, &ExportOptions::default(), &Silent).unwrap();
    assert_eq!(exported.left_out.len(), image.neutralised.len());
}

#[test]
fn rootless_everything_is_the_caller_s() {
    if is_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = Images::open(&dir.path().join("lib"), true);
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, kind) in
        [("d/", 0o055, tar::EntryType::Directory), ("d/f", 0o044, tar::EntryType::Regular)]
    {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(1234);
        header.set_gid(1234);
        builder.append_data(&mut header, path, &b""[..]).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    images.import_tar(&name("x"), Cursor::new(archive), Default::default(), work()).unwrap();
    let root = copied(&images, &name("x"), dir.path());
    let (d, f) = (fs::metadata(root.join("d")).unwrap(), fs::metadata(root.join("d/f")).unwrap());
    let me = rustix::process::geteuid().as_raw();
    assert_eq!((d.uid(), f.uid()), (me, me));
    assert_eq!((d.mode() & 0o777, f.mode() & 0o777), (0o755, 0o644));
    images.delete(&name("x"), &|_| Vec::new()).unwrap();
}

/// The environment variable under which the test below runs itself in a mount namespace of its own.
const INSIDE: &str = "VOLT_TEST_INSIDE";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test runs itself in a mount namespace of its own"
)]
fn a_full_disk_leaves_nothing() {
    if !is_root() {
        return;
    }
    if std::env::var_os(INSIDE).is_none() {
        let status = std::process::Command::new("unshare")
            .args(["--mount", "--propagation", "private", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "tree::tests::a_full_disk_leaves_nothing"])
            .env(INSIDE, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    fs::File::create(&disk).unwrap().set_len(8 << 20).unwrap();
    let at = dir.path().join("at");
    fs::create_dir(&at).unwrap();
    let run = |program: &str, arguments: &[&OsStr]| {
        assert!(std::process::Command::new(program).args(arguments).status().unwrap().success());
    };
    run("mkfs.ext4", &["-q".as_ref(), disk.as_ref()]);
    run("mount", &["-o".as_ref(), "loop".as_ref(), disk.as_ref(), at.as_ref()]);
    fill_disk(&at);
    run("umount", &[at.as_ref()]);
}

fn fill_disk(at: &Path) {
    let images = Images::open(at, false);
    let tarball = |files: usize, size: usize| {
        let mut builder = tar::Builder::new(Vec::new());
        for number in 0..files {
            let mut header = tar::Header::new_ustar();
            header.set_size(size as u64);
            header.set_mode(0o644);
            let content = [&number.to_le_bytes()[..], &vec![1; size]].concat();
            builder.append_data(&mut header, format!("file-{number}"), &content[..size]).unwrap();
        }
        Cursor::new(builder.into_inner().unwrap())
    };
    images.import_tar(&name("small"), tarball(1, 1000), Default::default(), work()).unwrap();
    let before = rustix::fs::statvfs(at).unwrap();
    // Blocks run out, then inodes.
    for (files, size) in [(3, 6 << 20), (5000, 8)] {
        let archive = tarball(files, size);
        let full = images.import_tar(&name("large"), archive, Default::default(), work());
        let Err(Error::Full { free, needed, .. }) = &full else { panic!("{full:?}") };
        assert!(free.is_some(), "{full:?}");
        assert!(size == 8 || needed.is_some_and(|needed| needed.0 >= size as u64), "{full:?}");
        assert_eq!(images.check(&|_| Vec::new()).unwrap(), []);
        assert_eq!(images.list().unwrap().len(), 1);
        let after = rustix::fs::statvfs(at).unwrap();
        // All that stays are the folders of objects.
        assert!(before.f_ffree - after.f_ffree <= 256 + 3);
        assert!(before.f_bfree - after.f_bfree <= 2 * 256);
        assert_eq!(images.cas().garbage(&|| Ok(Vec::new())).unwrap().objects, 0);
    }
    // Deleting is possible on a full disk.
    let mut filler = fs::File::create(at.join("filler")).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|size| size > 0) {}
    let full = images.import_tar(&name("other"), tarball(1, 100), Default::default(), work());
    assert!(matches!(full, Err(Error::Full { .. })), "{full:?}");
    images.delete(&name("small"), &|_| Vec::new()).unwrap();
    assert!(images.cas().collect(&|| Ok(Vec::new())).unwrap().objects > 0);
    assert_eq!(images.check(&|_| Vec::new()).unwrap(), []);
}

#[test]
fn a_quota_is_kept() {
    let place = Place::new();
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let options = ImportOptions { limits, ..Default::default() };
    let result =
        place.images.import_dir(&name("two"), &place.dir.path().join("source"), options, work());
    assert!(matches!(result, Err(Error::Refused { .. })), "{result:?}");
    assert_eq!(place.images.check(&|_| Vec::new()).unwrap(), []);
}
