//! Lists, units of the host, and logs in files.

use super::log_file;
use super::logs::{Listener, LogLine, Query};
use crate::system::tests::{engine, spec, write_record};
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use volt_model::kind::ErrorKind;
use volt_model::name::Target;
use volt_model::state::State;

#[test]
fn containers_are_listed_by_name() {
    let (_dir, engine) = engine();
    for n in 0..50 {
        write_record(&engine, &spec(&format!("web-{n:03}")));
    }
    let record = engine.paths().container(&"web-005".parse().unwrap()).join("config.json");
    std::fs::write(record, "{").unwrap();
    let all = engine.workload_list(true, None).unwrap();
    assert_eq!((all.len(), all[7].name.as_str(), all[7].state), (50, "web-007", State::Stopped));
    assert!(all[5].problem.is_some() && all[5].name == "web-005", "{:?}", all[5]);
    assert!(engine.workload_list(false, Some("container")).unwrap().is_empty());
    assert!(engine.workload_list(true, Some("vm")).unwrap().is_empty());
    let error = engine.workload_list(true, Some("contaner")).unwrap_err();
    assert_eq!(
        (error.kind, error.hint.as_deref()),
        (ErrorKind::Usage, Some("Did you mean `container`?"))
    );
}

#[test]
fn those_of_a_stack_are_listed_together() {
    let (_dir, engine) = engine();
    for (name, label) in [("a", "volt.stack"), ("z", ""), ("b", ""), ("c", "volt.stack.run")] {
        let mut spec = spec(name);
        if !label.is_empty() {
            spec.labels.insert(label.to_owned(), "shop".to_owned());
        }
        write_record(&engine, &spec);
    }
    let all = engine.workload_list(true, None).unwrap();
    let seen: Vec<_> = all.iter().map(|view| (view.stack(), view.name.as_str())).collect();
    assert_eq!(seen, [(None, "b"), (None, "z"), (Some("shop"), "a"), (Some("shop"), "c")]);
}

#[test]
fn units_of_the_host() {
    let (_dir, engine) = engine();
    let unit: Target = "nginx.service".parse().unwrap();
    assert_eq!(engine.workload_start(&unit).unwrap_err().kind, ErrorKind::NotFound);
    drop(engine.systemd().enable(&["nginx.service"], volt_host::systemd::Lifetime::Runtime));
    let view = engine.workload_start(&unit).unwrap();
    assert_eq!((view.kind, view.state), ("unit", State::Running));
    assert_eq!(engine.workload_stop(&unit).unwrap().state, State::Stopped);
    let details = engine.workload_inspect(&unit).unwrap();
    assert_eq!(details.properties["ActiveState"], "inactive");
}

#[test]
fn a_stopped_container_can_not_be_frozen() {
    let (_dir, engine) = engine();
    write_record(&engine, &spec("web"));
    let web: Target = "web".parse().unwrap();
    assert_eq!(engine.workload_freeze(&web).unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(engine.workload_thaw(&web).unwrap_err().kind, ErrorKind::Conflict);
    assert_eq!(
        engine.workload_freeze(&"other".parse().unwrap()).unwrap_err().kind,
        ErrorKind::NotFound
    );
    assert!(engine.workload_top().unwrap().is_empty());
    assert_eq!(engine.workload_inspect(&web).unwrap().workload.command, "sleep 1");
}

fn query() -> Query {
    Query {
        target: "web".parse().unwrap(),
        follow: false,
        lines: None,
        since: None,
        until: None,
        grep: None,
        stream: None,
    }
}

fn write_log(path: &std::path::Path, seconds: std::ops::Range<i64>) {
    let mut text = String::new();
    for n in seconds {
        let time = jiff::Timestamp::from_second(n).unwrap();
        let stream = if n % 2 == 0 { "stdout" } else { "stderr" };
        writeln!(text, r#"{{"time":"{time}","stream":"{stream}","message":"Line {n}"}}"#).unwrap();
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn log_files_are_read_in_order_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    write_log(&dir.path().join("log.jsonl.2"), 0..10);
    write_log(&dir.path().join("log.jsonl.1"), 10..20);
    write_log(&path, 20..30);
    let read = |change: &dyn Fn(&mut Query)| {
        let mut query = query();
        change(&mut query);
        let mut lines: Vec<LogLine> = Vec::new();
        let mut each = |line| {
            lines.push(line);
            true
        };
        let mut listener = Listener { each: &mut each, gone: &AtomicBool::new(false) };
        log_file::read(&path, "web", &query, &mut listener, &|| false).map(|()| lines)
    };
    let all = read(&|_| ()).unwrap();
    assert_eq!(all.len(), 30);
    assert!(all.windows(2).all(|w| w[0].time < w[1].time));
    assert_eq!((all[1].stream, all[1].priority, all[1].message.as_str()), ("stderr", 3, "Line 1"));
    let messages = |lines: Vec<LogLine>| lines.into_iter().map(|l| l.message).collect::<Vec<_>>();
    assert_eq!(messages(read(&|q| q.lines = Some(2)).unwrap()), ["Line 28", "Line 29"]);
    assert_eq!(
        messages(read(&|q| q.grep = Some("^line [12]5$".into())).unwrap()),
        ["Line 15", "Line 25"]
    );
    assert!(read(&|q| q.grep = Some("^L.ne [12]6$".into())).unwrap().len() == 2);
    assert!(read(&|q| q.grep = Some("LINE".into())).unwrap().is_empty());
    let error = read(&|q| q.grep = Some("(".into())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Usage);
    let at = |n| Some(jiff::Timestamp::from_second(n).unwrap());
    assert_eq!(read(&|q| (q.since, q.until) = (at(5), at(7))).unwrap().len(), 3);
}

#[test]
fn following_a_log_file_loses_nothing_when_it_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    write_log(&path, 0..5);
    let mut seen = Vec::new();
    let mut each = |line: LogLine| {
        seen.push(line.message);
        match seen.len() {
            5 => {
                std::fs::rename(&path, dir.path().join("log.jsonl.1")).unwrap();
                write_log(&path, 5..7);
            }
            7 => return false,
            _ => {}
        }
        true
    };
    let query = Query { follow: true, ..query() };
    let mut listener = Listener { each: &mut each, gone: &AtomicBool::new(false) };
    log_file::read(&path, "web", &query, &mut listener, &|| true).unwrap();
    assert_eq!(seen.last().unwrap(), "Line 6");
}
