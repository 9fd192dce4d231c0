//! Folders that somebody has filled who means no good.

use super::{Cas, count, nobody};
use crate::cas::build::{BuildOptions, Built};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::NodeKind;
use crate::{Progress, Silent};
use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::cell::Cell;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

struct Place {
    dir: tempfile::TempDir,
    cas: Cas,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::open(&dir.path().join("lib"));
        fs::create_dir(dir.path().join("from")).unwrap();
        Self { dir, cas }
    }

    fn from(&self) -> PathBuf {
        self.dir.path().join("from")
    }

    fn build(&self, options: &BuildOptions, progress: &dyn Progress) -> Result<Built> {
        let lease = self.cas.lease(&nobody).unwrap();
        self.cas.build(&lease, &self.from(), options, progress)
    }
}

/// Makes what is left out of images; false where only root may.
fn special(path: &Path, kind: FileType) -> bool {
    match kind {
        FileType::Socket => UnixListener::bind(path).is_ok(),
        kind => mknodat(CWD, path, kind, Mode::RUSR, rustix::fs::makedev(1, 3)).is_ok(),
    }
}

#[test]
fn other_names_of_what_is_left_out_are_left_out() {
    for kind in [FileType::Socket, FileType::CharacterDevice, FileType::BlockDevice] {
        let place = Place::new();
        let from = place.from();
        if !special(&from.join("a"), kind) {
            continue;
        }
        fs::hard_link(from.join("a"), from.join("b")).unwrap();
        fs::write(from.join("c"), "file").unwrap();
        fs::hard_link(from.join("c"), from.join("d")).unwrap();
        fs::hard_link(from.join("a"), from.join("e")).unwrap();
        let options = BuildOptions { devices: false, ..BuildOptions::default() };
        let built = place.build(&options, &Silent).unwrap();
        let tree = place.cas.tree(&built.tree).unwrap();
        let paths: Vec<_> = tree.nodes.iter().map(|node| node.path.as_bytes()).collect();
        assert_eq!(paths, [&b""[..], b"c", b"d"], "{kind:?}");
        assert_eq!(tree.nodes[2].kind, NodeKind::Link(1));
        assert_eq!(built.notes.list.len(), 3, "each is named: {:?}", built.notes);
    }
}

#[test]
fn attributes_that_are_not_kept_are_told_once() {
    let place = Place::new();
    let name = if crate::tree::tests::is_root() { "trusted.mine" } else { "user.overlay.mine" };
    let flags = rustix::fs::XattrFlags::empty();
    for file in ["a", "b", "c"] {
        fs::write(place.from().join(file), file).unwrap();
        rustix::fs::setxattr(place.from().join(file), "user.kept", b"x", flags).unwrap();
        rustix::fs::setxattr(place.from().join(file), name, b"x", flags).unwrap();
    }
    let told = |layer| {
        let options = BuildOptions { layer, ..BuildOptions::default() };
        let notes = place.build(&options, &Silent).unwrap().notes.into_list();
        notes.into_iter().map(|note| format!("{} {}", note.entry, note.what)).collect::<Vec<_>>()
    };
    let note = format!("a its attribute {name} was left out, and that of 2 more");
    assert_eq!(told(false), [note]);
    assert_eq!(told(true).len(), usize::from(!name.starts_with("user.overlay")));
}

/// Somebody who soon wants it no longer.
struct Impatient {
    since: Instant,
    asked: Cell<u32>,
}

impl Progress for Impatient {
    fn step(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.since.elapsed() > Duration::from_millis(300)
    }
}

#[test]
fn a_vast_file_keeps_nobody_waiting() {
    let place = Place::new();
    // Hours of zeros, several times over: for every thread, and for more than wait for one.
    for number in 0..80 {
        let file = fs::File::create(place.from().join(format!("{number}"))).unwrap();
        file.set_len(4 << 40).unwrap();
    }
    let progress = Impatient { since: Instant::now(), asked: Cell::default() };
    let given_up = place.build(&BuildOptions::default(), &progress);
    assert!(matches!(given_up, Err(Error::Cancelled)));
    assert!(progress.since.elapsed() < Duration::from_secs(30));
    let quota = crate::tree::Quota { bytes: 5 << 40, entries: u64::MAX };
    let refused = place.build(&BuildOptions { quota, ..BuildOptions::default() }, &Silent);
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("entry `1`") && error.contains("larger than"), "{error}");
    assert!(progress.since.elapsed() < Duration::from_secs(60));
    place.cas.collect(&nobody).unwrap();
    assert_eq!(count(&place.cas), 0);
}

/// Writes to a page of a file that stays mapped, each time a line comes, and tells when that is done.
const MAPPED: &str = r#"
import mmap, sys
file = open(sys.argv[1], "r+b")
page = mmap.mmap(file.fileno(), 0)
for line in sys.stdin:
    page[0:1] = line[0:1].encode()
    if line[0:1] == "c": page.flush()
    print(flush=True)
"#;

/// The kernel notes the first write to a mapped page in the file's times, and the next only once that page was written to disk.
#[test]
#[expect(clippy::disallowed_methods, reason = "another process has the file mapped")]
fn what_is_mapped_changes_without_a_sign_and_is_stored_all_the_same() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let place = Place::new();
    let path = place.from().join("mapped");
    fs::write(&path, vec![b'-'; 4096]).unwrap();
    fs::File::open(&path).unwrap().sync_all().unwrap();
    let mut program = std::process::Command::new("python3")
        .args(["-c", MAPPED])
        .arg(&path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = program.stdin.take().unwrap();
    let mut told = BufReader::new(program.stdout.take().unwrap());
    let mut stored_is = |letter: char| {
        writeln!(lines, "{letter}").unwrap();
        told.read_line(&mut String::new()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let tree = place.build(&BuildOptions::default(), &Silent).unwrap().tree;
        let stored = place.cas.tree(&tree).unwrap();
        let (_, content) = stored.contents().next().unwrap();
        let bytes = fs::read(place.cas.objects().path(&content.digest)).unwrap();
        assert_eq!(char::from(bytes[0]), letter);
        assert_eq!(bytes, fs::read(&path).unwrap());
    };
    ['a', 'b', 'c', 'd'].into_iter().for_each(&mut stored_is);
    drop(lines);
    assert!(program.wait().unwrap().success());
}

/// Waits at the hundredth entry, of a thousand, for the thread that fails at the first: nothing but the end of the walk tells of that.
#[derive(Default)]
struct Counting(Cell<u32>);

impl Progress for Counting {
    fn step(&self, _: &str) {}

    fn bytes(&self, _: u64, _: Option<u64>) {
        self.0.set(self.0.get() + 1);
        if self.0.get() == 100 {
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn cancelled(&self) -> bool {
        false
    }
}

#[test]
fn where_one_file_cannot_be_stored_no_more_are_read() {
    let place = Place::new();
    let lease = place.cas.lease(&nobody).unwrap();
    for number in 0..1000 {
        fs::write(place.from().join(format!("{number:04}")), format!("file {number}")).unwrap();
    }
    // Where the first one is to lie nothing can be put.
    let path = place.cas.objects().path(&Digest::of(b"file 0"));
    fs::remove_dir(path.parent().unwrap()).unwrap();
    fs::write(path.parent().unwrap(), "no folder").unwrap();
    let seen = Counting::default();
    let built = place.cas.build(&lease, &place.from(), &BuildOptions::default(), &seen);
    assert!(matches!(built, Err(Error::Io { .. })), "{built:?}");
    assert!(seen.0.get() < 500, "{}", seen.0.get());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_made_of_a_folder_is_stored(acts in prop::collection::vec(any::<u8>(), 0..150)) {
        let dir = tempfile::tempdir().unwrap();
        crate::fuzz::folder_bytes(dir.path(), &acts);
    }
}

/// Puts something else in the place of a file that was looked at and not yet read.
struct Swapping<'a> {
    swap: &'a dyn Fn(),
    asked: Cell<u32>,
}

impl Progress for Swapping<'_> {
    fn step(&self, _: &str) {}
    fn bytes(&self, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        // The folder and the file were asked for before.
        if self.asked.get() == 3 {
            (self.swap)();
        }
        false
    }
}

#[test]
fn what_takes_the_place_of_a_known_file_is_not_read_for_it() {
    let place = Place::new();
    let path = place.from().join("known");
    let pipe = || assert!(special(&path, FileType::Fifo));
    let other = || fs::write(&path, "other").unwrap();
    for put in [&pipe as &dyn Fn(), &other] {
        drop(fs::remove_file(&path));
        fs::write(&path, "known").unwrap();
        // What has only just changed is not known by its times.
        std::thread::sleep(Duration::from_millis(60));
        place.build(&BuildOptions::default(), &Silent).unwrap();
        fs::remove_file(place.cas.objects().path(&Digest::of(b"known"))).unwrap();
        let swap = || {
            // Its inode is not free for the other one.
            fs::rename(&path, place.dir.path().join("away")).unwrap();
            put();
        };
        let progress = Swapping { swap: &swap, asked: Cell::default() };
        let error = place.build(&BuildOptions::default(), &progress).unwrap_err().to_string();
        assert!(error.contains("it changed while it was read"), "{error}");
    }
}
