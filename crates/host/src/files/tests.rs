//! Works on real folders under the system's temporary one.

use super::*;
use crate::command::{Command, Stream};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;
use tempfile::TempDir;

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

const OWN: fn() -> Attributes = || Attributes {
    uid: rustix::process::geteuid().as_raw(),
    gid: rustix::process::getegid().as_raw(),
    mode: 0o640,
    mtime: Some((1_000_000_000, 5)),
};

#[test]
fn atomic_write_replaces_and_leaves_nothing_beside() {
    let dir = temp();
    let path = dir.path().join("a.json");
    write_json(&path, &serde_json::json!({"a": 1}), 0o600).unwrap();
    write_json(&path, &serde_json::json!({"a": 2}), 0o644).unwrap();
    let value: serde_json::Value = read_json(&path, 100).unwrap();
    assert_eq!(value["a"], 2);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let error = read_bounded(&path, 5).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
}

#[test]
fn locks_exclude_between_processes_and_name_the_holder() {
    let dir = temp();
    let locks = Locks::new(dir.path().join("locks"));
    drop(locks.lock("container.web", LockMode::Exclusive, Wait::No).unwrap());
    let path = dir.path().join("locks/container.web");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let mut child = Command::new("sh")
        .args(["-c", "exec 9<\"$0\"; flock 9; echo held; exec sleep 60"])
        .arg(&path)
        .stdout(Stream::Pipe)
        .spawn()
        .unwrap();
    child.take_stdout().unwrap().read_exact(&mut [0; 5]).unwrap();
    for wait in [Wait::No, Wait::For(Duration::from_millis(30))] {
        let error = locks.lock("container.web", LockMode::Shared, wait).unwrap_err();
        assert!(matches!(error, LockError::Held { .. }), "{error:?}");
    }
    drop(child);
    locks.lock("container.web", LockMode::Exclusive, Wait::For(Duration::from_secs(5))).unwrap();
}

#[test]
fn locks_within_a_process() {
    let dir = temp();
    let locks = Locks::new(dir.path());
    let shared = [0, 1].map(|_| locks.lock("a", LockMode::Shared, Wait::No).unwrap());
    assert!(locks.lock("a", LockMode::Exclusive, Wait::No).is_err());
    drop(shared);
    let held = locks.lock("a", LockMode::Exclusive, Wait::No).unwrap();
    let error = locks.lock("a", LockMode::Exclusive, Wait::No).unwrap_err();
    assert!(matches!(error, LockError::Held { holder: Some(p), .. } if p == std::process::id()));
    let waiting = std::thread::spawn({
        let locks = locks.clone();
        move || locks.lock("a", LockMode::Exclusive, Wait::Forever).unwrap()
    });
    held.remove().unwrap();
    let now = waiting.join().unwrap();
    assert!(now.path().exists(), "the waiter holds the file that is there");
    assert!(locks.lock("a/b", LockMode::Shared, Wait::No).is_err());
}

#[test]
fn stage_publishes_whole_or_not_at_all() {
    let dir = temp();
    let (tmp, place) = (dir.path().join("tmp"), dir.path().join("place"));
    let build = |text: &str| {
        let stage = Stage::new(&tmp, "container/x").unwrap();
        fs::write(stage.path().join("f"), text).unwrap();
        stage
    };
    build("1").publish(&place, Publish::New).unwrap();
    let error = build("2").publish(&place, Publish::New).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(place.join("f")).unwrap(), "1");
    build("3").publish(&place, Publish::Replace).unwrap();
    assert_eq!(fs::read_to_string(place.join("f")).unwrap(), "3");
    drop(build("4"));
    let left: Vec<_> = fs::read_dir(&tmp).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [".gate"]);
}

#[test]
fn sweep_removes_what_nobody_holds() {
    let dir = temp();
    let held = Stage::new(dir.path(), "held").unwrap();
    fs::create_dir_all(dir.path().join("dead-1/a/b")).unwrap();
    fs::write(dir.path().join("dead-file"), "").unwrap();
    let swept = sweep(dir.path()).unwrap();
    assert_eq!((swept.removed.len(), swept.held.len(), swept.failed.len()), (2, 1, 0));
    assert!(held.path().exists());
    assert!(sweep(&dir.path().join("nowhere")).unwrap().removed.is_empty());
}

#[test]
fn remove_tree_is_not_led_astray_and_goes_deep() {
    let dir = temp();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("keep"), "").unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    symlink(&outside, tree.join("link")).unwrap();
    // Deeper than PATH_MAX and than the walk nests: made from inside, level by level.
    Command::new("sh")
        .args(["-c", "i=0; while [ $i -lt 400 ]; do mkdir aaaaaaaaaaaaaaaaa; cd -P aaaaaaaaaaaaaaaaa || exit 1; touch f; i=$((i+1)); done"])
        .cwd(&tree)
        .run()
        .unwrap();
    let usage = dir_size(&tree).unwrap();
    assert!(!usage.complete && usage.entries > 500, "{usage:?}");
    remove_tree(&tree).unwrap();
    assert!(!tree.exists() && outside.join("keep").exists());
    remove_tree(&tree).unwrap();
    symlink(&outside, &tree).unwrap();
    remove_tree(&tree).unwrap();
    assert!(outside.join("keep").exists() && fs::symlink_metadata(&tree).is_err());
}

#[test]
fn dir_size_counts_a_file_with_two_names_once() {
    let dir = temp();
    fs::write(dir.path().join("a"), vec![1; 100_000]).unwrap();
    fs::hard_link(dir.path().join("a"), dir.path().join("b")).unwrap();
    let usage = dir_size(dir.path()).unwrap();
    assert_eq!((usage.apparent, usage.entries, usage.complete), (100_000, 3, true));
    assert!(free_space(dir.path()).unwrap().total > 0);
}

#[test]
fn rooted_paths_stay_inside() {
    let dir = temp();
    let root_path = dir.path().join("root");
    fs::create_dir_all(root_path.join("etc")).unwrap();
    fs::write(root_path.join("etc/passwd"), "inside").unwrap();
    symlink("/etc", root_path.join("abs")).unwrap();
    symlink("../../../../etc", root_path.join("up")).unwrap();
    let root = RootDir::open(&root_path).unwrap();
    for path in ["abs/passwd", "up/passwd", "/../../etc/passwd", "etc/passwd"] {
        let mut text = String::new();
        root.open_file(Path::new(path)).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside", "{path}");
    }
    let written = root.write_file(Path::new("/abs/new"), &mut &b"hello"[..], OWN()).unwrap();
    assert_eq!(written, 5);
    let data = root.metadata(Path::new("etc/new")).unwrap();
    assert_eq!((data.mode, data.mtime, data.size), (0o640, (1_000_000_000, 5), 5));
    assert!(!Path::new("/etc/new").exists());
    let names: Vec<_> =
        root.read_dir(Path::new("abs")).unwrap().into_iter().map(|e| e.name).collect();
    assert_eq!(names, ["new", "passwd"]);
    assert!(root.open_file(Path::new("etc")).is_err());
}

#[test]
fn rooted_writes() {
    let dir = temp();
    let root = RootDir::open(dir.path()).unwrap();
    let attributes = Attributes { mode: 0o750, ..OWN() };
    root.mkdir_all(Path::new("/a/b/c"), attributes).unwrap();
    root.mkdir_all(Path::new("a/b/c"), attributes).unwrap();
    assert_eq!(root.metadata(Path::new("a/b")).unwrap().mode, 0o750);
    // A link in the place of the file is replaced, not written through.
    symlink("/nowhere", dir.path().join("a/f")).unwrap();
    root.write_file(Path::new("a/f"), &mut &b"x"[..], attributes).unwrap();
    assert_eq!(root.metadata(Path::new("a/f")).unwrap().kind, FileKind::File);
    root.create_symlink(Path::new("a/f"), Path::new("b"), attributes).unwrap();
    assert_eq!(root.read_link(Path::new("a/f")).unwrap(), Path::new("b"));
    assert_eq!(root.metadata(Path::new("a/f")).unwrap().mtime.0, 1_000_000_000);
    assert!(root.write_file(Path::new("a/b"), &mut &b"x"[..], attributes).is_err());
    assert_eq!(root.read_dir(Path::new("a")).unwrap().len(), 2, "no partial file remains");
    root.remove_all(Path::new("a")).unwrap();
    assert!(root.metadata(Path::new("a")).unwrap_err().is_not_found());
    assert!(root.write_file(Path::new("/"), &mut &b"x"[..], attributes).is_err());
}
