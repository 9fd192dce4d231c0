//! Archives as a hostile server would send them.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use tempfile::TempDir;

/// An entry with a path that no honest builder would write.
fn entry(to: &mut Vec<u8>, kind: EntryType, path: &str, link: &str, content: &str) {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o6755);
    header.set_mtime(1_000_000);
    header.set_cksum();
    to.extend_from_slice(header.as_bytes());
    to.extend_from_slice(content.as_bytes());
    to.resize(to.len().next_multiple_of(512), 0);
}

struct Tried {
    folder: TempDir,
    result: io::Result<Vec<String>>,
}

impl Tried {
    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("into").join(path)
    }
}

fn try_with(naming: &Naming, entries: &[(EntryType, &str, &str, &str)]) -> Tried {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("into");
    fs::create_dir(&into).unwrap();
    fs::write(folder.path().join("victim"), "safe").unwrap();
    let mut bytes = Vec::new();
    for (kind, path, link, content) in entries {
        entry(&mut bytes, *kind, path, link, content);
    }
    bytes.resize(bytes.len() + 1024, 0);
    let result = unpack(&bytes[..], &into, naming);
    assert_eq!(fs::read_to_string(folder.path().join("victim")).unwrap(), "safe");
    Tried { folder, result }
}

const FILE: EntryType = EntryType::Regular;
const DIR: EntryType = EntryType::Directory;
const LINK: EntryType = EntryType::Symlink;
const HARD: EntryType = EntryType::Link;

#[test]
fn what_is_honest_arrives() {
    let tried = try_with(
        &Naming::Kept,
        &[
            (DIR, "site/", "", ""),
            (FILE, "site/index.html", "", "hello"),
            (LINK, "site/clock", "/usr/share/zoneinfo/UTC", ""),
            (HARD, "site/second", "site/index.html", ""),
            (FILE, "deep/er/file", "", "x"),
        ],
    );
    assert_eq!(tried.result.as_ref().unwrap(), &Vec::<String>::new());
    assert_eq!(fs::read_to_string(tried.path("site/index.html")).unwrap(), "hello");
    assert_eq!(
        fs::read_link(tried.path("site/clock")).unwrap().to_str(),
        Some("/usr/share/zoneinfo/UTC")
    );
    let metadata = fs::metadata(tried.path("site/index.html")).unwrap();
    assert_eq!((metadata.nlink(), metadata.mtime()), (2, 1_000_000));
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o755, "set-id bits are not taken over");
    assert!(tried.path("deep/er/file").is_file());
}

#[test]
fn names_here() {
    let entries =
        [(DIR, "site/", "", ""), (FILE, "site/a", "", "1"), (HARD, "site/b", "site/a", "")];
    let renamed = try_with(&Naming::First("www".into()), &entries);
    assert!(renamed.path("www/a").is_file() && renamed.path("www/b").is_file());
    let contents = try_with(&Naming::Contents, &entries);
    assert!(contents.path("a").is_file() && !contents.path("site").exists());
}

#[test]
fn nothing_climbs_out() {
    let victim: (EntryType, &str, &str, &str) = (FILE, "../victim", "", "gone");
    for entries in [
        &[victim][..],
        &[(FILE, "/tmp/../victim", "", "gone")],
        &[(FILE, "a/../../victim", "", "gone")],
        &[(LINK, "out", "..", ""), (FILE, "out/victim", "", "gone")],
        &[(LINK, "out", "../victim", ""), (DIR, "out/", "", "")],
        &[(HARD, "mine", "../victim", ""), (FILE, "mine", "", "gone")],
        &[(LINK, "out", "..", ""), (HARD, "mine", "out/victim", "")],
        &[(HARD, "mine", "nowhere", "")],
    ] {
        let tried = try_with(&Naming::Kept, entries);
        assert!(tried.result.is_err(), "{entries:?}");
    }
}

#[test]
fn a_link_is_replaced_and_not_written_through() {
    let tried = try_with(&Naming::Kept, &[(LINK, "a", "../victim", ""), (FILE, "a", "", "gone")]);
    assert!(tried.result.is_ok());
    assert_eq!(fs::read_to_string(tried.path("a")).unwrap(), "gone");
}

#[test]
fn a_link_that_was_there_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (into, outside) = (folder.path().join("into"), folder.path().join("outside"));
    fs::create_dir(&into).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, into.join("sub")).unwrap();
    let mut bytes = Vec::new();
    entry(&mut bytes, FILE, "sub/x", "", "gone");
    bytes.resize(bytes.len() + 1024, 0);
    assert!(unpack(&bytes[..], &into, &Naming::Kept).is_err());
    assert!(!outside.join("x").exists());
}

#[test]
fn devices_and_pipes_are_left_out_and_named() {
    let tried = try_with(
        &Naming::Kept,
        &[
            (EntryType::Char, "null", "", ""),
            (EntryType::Fifo, "pipe", "", ""),
            (FILE, "a", "", "1"),
        ],
    );
    assert_eq!(tried.result.as_ref().unwrap().len(), 2);
    assert!(!tried.path("null").exists() && tried.path("a").exists());
}

#[test]
fn a_size_that_lies_is_an_error() {
    let mut bytes = Vec::new();
    entry(&mut bytes, FILE, "a", "", "1");
    let mut header = tar::Header::new_gnu();
    header.set_path("b").unwrap();
    header.set_entry_type(FILE);
    header.set_size(1 << 50);
    header.set_mode(0o644);
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    let error = unpack(&bytes[..], folder.path(), &Naming::Kept);
    assert!(error.is_err() || fs::metadata(folder.path().join("b")).unwrap().len() == 0);
}
