//! A disk that does not take what is written to it.

use super::{count, manifest, nobody, publish};
use crate::cas::{Cas, Lease, RefKind};
use crate::roots::tests::in_own_namespace;
use serde_json::json;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a disk lies in that has room for less than it says.
struct Disk {
    dir: tempfile::TempDir,
}

#[expect(clippy::disallowed_methods, reason = "tests lay out disks in namespaces of their own")]
fn run(program: &str, words: &[&OsStr]) {
    assert!(std::process::Command::new(program).args(words).status().unwrap().success());
}

impl Disk {
    fn new() -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        let (below, at) = (disk.below(), disk.at());
        fs::create_dir(&below).unwrap();
        fs::create_dir(&at).unwrap();
        let size = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"].map(OsStr::new);
        run("mount", &[&size[..], &[below.as_ref()]].concat());
        let file = below.join("disk");
        File::create(&file).unwrap().set_len(64 << 20).unwrap();
        // Without a journal, which would have it read only from the first error on.
        let how = ["-q", "-O", "^has_journal,^extent,^64bit,^metadata_csum"].map(OsStr::new);
        run("mkfs.ext4", &[&how[..], &[file.as_ref()]].concat());
        run("mount", &["-o".as_ref(), "loop".as_ref(), file.as_ref(), at.as_ref()]);
        disk
    }

    fn below(&self) -> PathBuf {
        self.dir.path().join("below")
    }

    fn at(&self) -> PathBuf {
        self.dir.path().join("at")
    }

    /// From now on new blocks are not written.
    fn fail(&self) {
        let mut rest = File::create(self.below().join("rest")).unwrap();
        while rest.write_all(&[0; 4096]).is_ok() {}
    }

    fn work_again(&self) {
        fs::remove_file(self.below().join("rest")).unwrap();
    }

    fn sync(path: &Path) -> rustix::io::Result<()> {
        rustix::fs::syncfs(File::open(path).unwrap())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[self.at().as_ref()]);
        run("umount", &[self.below().as_ref()]);
    }
}

/// More than the disk has in blocks that are written already.
fn large() -> Vec<u8> {
    (0..4_u32 << 20).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect()
}

/// Runs a test with such a disk, a store on it that has something, and how many objects that has; in a namespace of its own.
fn on_disk(test: &str, body: impl FnOnce(&Disk, &Cas, usize)) {
    if !in_own_namespace(&format!("cas::tests::failing::{test}")) {
        return;
    }
    let disk = Disk::new();
    let cas = Cas::open(&disk.at());
    publish(&cas, "kept", &super::files(1, 3));
    let before = count(&cas);
    body(&disk, &cas, before);
}

#[test]
fn what_the_disk_did_not_take_is_built_upon_by_nobody() {
    on_disk("what_the_disk_did_not_take_is_built_upon_by_nobody", |disk, cas, before| {
        let store = |lease: &Lease| {
            let put = cas.objects().put_bytes(lease, &large()).unwrap();
            cas.objects().put_bytes(lease, &manifest(&[(put.digest, put.size)])).unwrap();
            put
        };
        disk.fail();
        let (lease, beside) = (cas.lease(&nobody).unwrap(), cas.lease(&nobody).unwrap());
        store(&lease);
        assert!(Disk::sync(&disk.at()).is_err() && Disk::sync(&disk.at()).is_ok(), "told once");
        assert!(lease.sync().is_err() && beside.sync().is_err(), "whoever else was told");
        drop((lease, beside));
        disk.work_again();
        assert_eq!(count(cas), before + 2);
        // Found by its size it would be taken for good.
        let lease = cas.lease(&nobody).unwrap();
        assert_eq!(count(cas), before);
        let put = store(&lease);
        assert!(put.is_new);
        lease.sync().unwrap();
        let value = json!({ "tree": put.digest.to_string() });
        cas.refs().write(RefKind::Manifests, "large", &value).unwrap();
        lease.end().unwrap();
    });
}

#[test]
fn what_a_killed_process_left_and_the_disk_did_not_take_is_built_upon_by_nobody() {
    on_disk(
        "what_a_killed_process_left_and_the_disk_did_not_take_is_built_upon_by_nobody",
        |disk, cas, before| {
            disk.fail();
            let lease = cas.lease(&nobody).unwrap();
            cas.objects().put_bytes(&lease, &large()).unwrap();
            drop(lease);
            cas.tidy(&nobody).unwrap();
            disk.work_again();
            assert_eq!(count(cas), before + 1);
            cas.tidy(&nobody).unwrap();
            assert_eq!(count(cas), before);
        },
    );
}
