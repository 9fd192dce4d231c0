//! The pure parts, and the fake against the trait. What needs a real systemd is in `tests/systemd.rs`.

use super::jobs::Jobs;
use super::*;
use proptest::prelude::*;

const LIMIT: Duration = Duration::from_secs(1);

#[test]
fn paths_are_escaped_as_systemd_does() {
    let path = "/org/freedesktop/systemd1/unit/volt_2dcontainer_40web_2eservice";
    assert_eq!(unit_path("volt-container@web.service"), path);
    assert_eq!(unit_of_path(path).unwrap(), "volt-container@web.service");
    assert_eq!(unit_path("1a.slice"), "/org/freedesktop/systemd1/unit/_31a_2eslice");
    assert_eq!(unit_of_path("/org/other"), None);
}

proptest! {
    #[test]
    fn paths_read_back(name in ".{1,40}") {
        prop_assert_eq!(unit_of_path(&unit_path(&name)).unwrap(), name);
    }

    #[test]
    fn a_name_matches_itself_and_stars(name in "[a-z.@-]{0,20}", from in 0usize..10) {
        let from = from.min(name.len());
        prop_assert!(matches_pattern(&name, &name));
        let star = format!("{}*", &name[..from]);
        prop_assert!(matches_pattern(&star, &name));
        let star = format!("*{}", &name[from..]);
        prop_assert!(matches_pattern(&star, &name));
    }
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("volt-*@*.service", "volt-container@web.service", true),
        ("volt-*@*.service", "volt-container@web.socket", false),
        ("a?c", "abc", true),
        ("a?c", "ac", false),
        ("*a*b", "xxaxxbxxb", true),
        ("", "x", false),
        ("*", "", true),
    ] {
        assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn a_job_that_ended_before_it_was_waited_for() {
    let jobs = Jobs::default();
    jobs.end("/job/1".into(), &JobResult::Failed);
    assert_eq!(jobs.wait("/job/1").blocking_recv().unwrap(), JobResult::Failed);
    let waiting = [jobs.wait("/job/2"), jobs.wait("/job/2")];
    jobs.end("/job/2".into(), &JobResult::Done);
    for waiter in waiting {
        assert_eq!(waiter.blocking_recv().unwrap(), JobResult::Done);
    }
    let waiter = jobs.wait("/job/3");
    jobs.close();
    assert!(waiter.blocking_recv().is_err() && jobs.wait("/job/4").blocking_recv().is_err());
}

#[test]
fn status_tells_unset_numbers_from_real_ones() {
    let mut all = Properties::default();
    for (name, value) in [
        ("ActiveState", Property::Text("failed".into())),
        ("ExecMainCode", Property::I64(2)),
        ("ExecMainStatus", Property::I64(9)),
        ("MainPID", Property::U64(0)),
        ("MemoryCurrent", Property::U64(u64::MAX)),
        ("CPUUsageNSec", Property::U64(7)),
        ("InvocationID", Property::Bytes(vec![0xab, 1])),
        ("ActiveEnterTimestamp", Property::U64(0)),
    ] {
        all.0.insert(name.into(), value);
    }
    let status = UnitStatus::from(&all);
    assert_eq!(status.active, ActiveState::Failed);
    assert_eq!(status.main_exit, Some(MainExit::Signaled(9)));
    assert_eq!((status.main_pid, status.memory, status.cpu_nanos), (None, None, Some(7)));
    assert_eq!((status.invocation.as_str(), status.active_since), ("ab01", None));
}

#[test]
fn no_bus_is_told_apart() {
    let bus = SystemdBus::at("unix:path=/nowhere/socket");
    assert!(matches!(bus.version(), Err(Error::NoBus { .. })));
    // The same from a blocking thread of an async runtime, and when dropped within one.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let asked =
            tokio::task::spawn_blocking(move || (bus.version().is_err(), bus)).await.unwrap();
        assert!(asked.0);
    });
}

#[test]
fn the_fake_keeps_states_and_fails_on_request() {
    let fake = FakeSystemd::new();
    let systemd: &dyn Systemd = &fake;
    let watch = systemd.watch(&["web*"]).unwrap();
    systemd.run_job(JobKind::Start, "web.service", LIMIT).unwrap();
    systemd.run_job(JobKind::Start, "db.service", LIMIT).unwrap();
    assert_eq!(systemd.list_units(&["web*"]).unwrap().len(), 1);
    assert_eq!(systemd.unit_status("web.service").unwrap().active, ActiveState::Active);
    assert_eq!(systemd.unit_status("nobody.service").unwrap().load, "not-found");
    let event = watch.next(LIMIT).unwrap().unwrap();
    assert_eq!(event.unit, "web.service");
    assert_eq!(watch.next(Duration::ZERO).unwrap(), None);
    let failed = Error::JobFailed {
        unit: "web.service".into(),
        job: JobKind::Stop,
        result: JobResult::Timeout,
    };
    fake.fail_next("stop web", failed);
    let error = systemd.run_job(JobKind::Stop, "web.service", LIMIT).unwrap_err();
    assert_eq!(error.to_string(), "stop of web.service ended with timeout");
    systemd.run_job(JobKind::Stop, "web.service", LIMIT).unwrap();
    assert!(matches!(
        systemd.run_job(JobKind::Stop, "unknown.service", LIMIT),
        Err(Error::NoSuchUnit { .. })
    ));
    assert_eq!(fake.calls()[1], "start web.service");
}

#[test]
fn a_slow_reader_is_told_that_it_missed_something() {
    let (mut feed, watch) = UnitWatch::new();
    let event = |n: usize| UnitEvent { unit: n.to_string(), change: UnitChange::Loaded };
    assert!((0..5000).all(|n| feed.send(event(n))));
    let mut last = None;
    while let Some(event) = watch.next(Duration::ZERO).unwrap() {
        last = Some(event.unit);
    }
    assert_eq!(last.unwrap(), "4095");
    assert!(feed.send(event(1)));
    assert_eq!(watch.next(LIMIT).unwrap().unwrap().change, UnitChange::Missed);
    drop(watch);
    assert!(!feed.send(event(2)));
}
