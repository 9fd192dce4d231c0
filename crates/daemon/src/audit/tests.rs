//! The trail on a real file: rotation, bounds, many writers, garbage.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn peer() -> Peer {
    Peer { uid: 7, gid: 7, groups: vec![], name: "ann".into(), member: true, reads_journal: false }
}

fn record(n: usize) -> Record {
    let action = if n.is_multiple_of(2) { "container.start" } else { "image.pull" };
    let mut record = Record::now(&peer(), action.into(), &format!("r{n}"));
    record.resource = format!("c{n}");
    record
}

#[test]
fn a_line_has_the_documented_form() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::new(dir.path().join("log/audit.log"), None);
    let mut failed = record(0);
    failed.timestamp = "2026-01-02T03:04:05.678Z".into();
    failed.result = Outcome::Failure;
    failed.error = Some("no\nsuch \"thing\"".into());
    audit.write(&failed).unwrap();
    let text = std::fs::read_to_string(audit.path()).unwrap();
    assert_eq!(
        text,
        "{\"timestamp\":\"2026-01-02T03:04:05.678Z\",\"user\":\"ann\",\"uid\":7,\
         \"action\":\"container.start\",\"resource\":\"c0\",\"result\":\"failure\",\
         \"request_id\":\"r0\",\"error\":\"no\\nsuch \\\"thing\\\"\"}\n"
    );
    let mode = std::fs::metadata(audit.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let stamp = record(0).timestamp;
    assert_eq!((stamp.len(), stamp.ends_with('Z')), (24, true), "{stamp}");
}

#[test]
fn a_rotated_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let audit = Audit::new(path.clone(), None);
    audit.write(&record(0)).unwrap();
    std::fs::rename(&path, dir.path().join("audit.log.1")).unwrap();
    audit.write(&record(1)).unwrap();
    let ids: Vec<_> = tail(&path, &Filter::default()).unwrap();
    assert_eq!(ids, [record_like(&ids[0], 1)]);
    audit.reopen();
    audit.write(&record(2)).unwrap();
    assert_eq!(tail(&path, &Filter::default()).unwrap().len(), 2);
}

fn record_like(found: &Record, n: usize) -> Record {
    Record { timestamp: found.timestamp.clone(), ..record(n) }
}

#[test]
fn what_cannot_be_opened_is_known_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    let audit = Audit::new(path, None);
    assert!(audit.ready().is_err(), "a symbolic link was followed");
}

#[test]
fn the_newest_lines_are_found_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let audit = Audit::new(path.clone(), None);
    for n in 0..2000 {
        // As Audit::write without its fsync, which would make this test slow.
        let mut file = audit.open().unwrap();
        serde_json::to_writer(&mut file, &record(n)).unwrap();
        file.write_all(if n == 1000 { b"\ngarbage\n\n" } else { b"\n" }).unwrap();
    }
    let ids = |filter: &Filter| -> Vec<String> {
        tail(&path, filter).unwrap().into_iter().map(|r| r.request_id).collect()
    };
    assert_eq!(ids(&Filter { lines: Some(2), ..Filter::default() }), ["r1998", "r1999"]);
    assert_eq!(ids(&Filter::default()).len(), 2000);
    let images = Filter { lines: Some(1), action: Some("image.".into()), ..Filter::default() };
    assert_eq!(ids(&images), ["r1999"]);
    assert_eq!(ids(&Filter { resource: Some("c3".into()), ..Filter::default() }), ["r3"]);
    assert_eq!(ids(&Filter { user: Some("bob".into()), ..Filter::default() }).len(), 0);
    let later = Some(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1));
    assert_eq!(ids(&Filter { since: later, ..Filter::default() }).len(), 0);
    assert_eq!(find(&path, "r17").unwrap().unwrap().resource, "c17");
    assert!(find(&path, "r99999").unwrap().is_none());
    assert!(find(&dir.path().join("none"), "r1").unwrap().is_none());
}

#[test]
fn a_long_text_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let audit = Audit::new(dir.path().join("audit.log"), None);
    let mut long = record(0);
    long.resource = "ä".repeat(100_000);
    audit.write(&long).unwrap();
    assert!(std::fs::metadata(audit.path()).unwrap().len() < 2048);

    // What failed is told whole, with the last lines of a journal; each quote of it takes six bytes in JSON.
    let lines = "\u{1}".repeat(30_000);
    audit
        .write(&Record { error: Some(lines.clone()), request_id: "whole".into(), ..record(1) })
        .unwrap();
    assert_eq!(find(audit.path(), "whole").unwrap().unwrap().error, Some(lines));
}

#[test]
fn lines_of_many_writers_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let audit = Audit::new(path.clone(), None);
            scope.spawn(move || {
                (0..25).for_each(|n| audit.write(&record(writer * 100 + n)).unwrap());
            });
        }
    });
    assert_eq!(tail(&path, &Filter::default()).unwrap().len(), 100);
}
