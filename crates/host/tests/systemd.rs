//! Against a real systemd: runs where it is PID 1 (a test host), says that it was skipped elsewhere.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are tests too")]

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use volt_host::cgroup::Cgroup;
use volt_host::command::Command;
use volt_host::journal::{JournalWriter, Query};
use volt_host::probe;
use volt_host::systemd::{
    ActiveState, Error, JobKind, JobResult, Lifetime, MainExit, Setting, Systemd, SystemdBus,
    UnitChange, Whom,
};

const LIMIT: Duration = Duration::from_secs(20);

/// Whether to run at all.
fn booted() -> bool {
    let root = rustix::process::geteuid().is_root();
    if probe::systemd_is_init() && root {
        return true;
    }
    println!("SKIPPED: systemd is not PID 1 here");
    false
}

/// A unit file that is gone, and its unit stopped, when the test ends.
struct Unit {
    name: String,
    path: PathBuf,
}

impl Unit {
    fn new(label: &str, service: &str) -> Self {
        let name = format!("volt-test-{label}-{}.service", std::process::id());
        let path = PathBuf::from("/run/systemd/system").join(&name);
        fs::write(&path, format!("[Unit]\nDescription=test of volt\n[Service]\n{service}\n"))
            .unwrap();
        Self { name, path }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let bus = SystemdBus::new();
        drop(bus.run_job(JobKind::Stop, &self.name, LIMIT));
        // Refused where the stop unloaded it.
        drop(bus.reset_failed(&self.name));
        drop(fs::remove_file(&self.path));
    }
}

#[test]
fn jobs_from_start_to_stop() {
    if !booted() {
        return;
    }
    let unit = Unit::new("life", "Type=exec\nExecStart=sleep 1000");
    let bus = SystemdBus::new();
    let begin = Instant::now();
    assert_eq!(bus.run_job(JobKind::Start, &unit.name, LIMIT).unwrap(), JobResult::Done);
    println!("start with a new connection: {:?}", begin.elapsed());
    let begin = Instant::now();
    bus.run_job(JobKind::Restart, &unit.name, LIMIT).unwrap();
    println!("restart: {:?}", begin.elapsed());
    let begin = Instant::now();
    let status = bus.unit_status(&unit.name).unwrap();
    println!("status: {:?}", begin.elapsed());
    assert_eq!((status.active, status.sub.as_str()), (ActiveState::Active, "running"));
    assert_eq!((status.load.as_str(), status.invocation.len()), ("loaded", 32));
    assert!(
        status.main_pid.is_some() && status.main_started.is_some() && status.active_since.is_some()
    );
    let group = Cgroup::of_unit(&status.control_group).unwrap();
    assert_eq!(group.processes().unwrap(), [status.main_pid.unwrap()]);
    bus.freeze(&unit.name).unwrap();
    assert!(group.is_frozen().unwrap());
    bus.thaw(&unit.name).unwrap();
    assert!(!group.is_frozen().unwrap());
    let listed = bus.list_units(&["volt-test-life-*.service"]).unwrap();
    assert_eq!((listed.len(), listed[0].description.as_str()), (1, "test of volt"));
    assert!(bus.list_units(&[]).unwrap().len() > 5);
    bus.kill(&unit.name, Whom::Main, 9).unwrap();
    let deadline = Instant::now() + LIMIT;
    while bus.unit_status(&unit.name).unwrap().active != ActiveState::Failed {
        assert!(Instant::now() < deadline);
    }
    let status = bus.unit_status(&unit.name).unwrap();
    assert_eq!(status.main_exit, Some(MainExit::Signaled(9)));
    assert_eq!(status.result, "signal");
    bus.reset_failed(&unit.name).unwrap();
    assert_eq!(bus.unit_status(&unit.name).unwrap().active, ActiveState::Inactive);
}

#[test]
fn errors_are_told_apart() {
    if !booted() {
        return;
    }
    let bus = SystemdBus::new();
    let missing = "volt-test-no-such.service";
    let error = bus.run_job(JobKind::Start, missing, LIMIT).unwrap_err();
    assert!(matches!(error, Error::NoSuchUnit { .. }), "{error:?}");
    assert_eq!(bus.unit_status(missing).unwrap().load, "not-found");
    let failing = Unit::new("failing", "Type=oneshot\nExecStart=false");
    let error = bus.run_job(JobKind::Start, &failing.name, LIMIT).unwrap_err();
    assert!(matches!(error, Error::JobFailed { result: JobResult::Failed, .. }), "{error:?}");
    let slow = Unit::new("slow", "Type=notify\nExecStart=sleep 1000");
    let begin = Instant::now();
    let error = bus.run_job(JobKind::Start, &slow.name, Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(2));
    // A stop takes the place of the start that is still under way, and whoever waits for that hears so.
    let name = slow.name.clone();
    let waiting =
        std::thread::spawn(move || SystemdBus::new().run_job(JobKind::Start, &name, LIMIT));
    std::thread::sleep(Duration::from_millis(200));
    bus.run_job(JobKind::Stop, &slow.name, LIMIT).unwrap();
    let error = waiting.join().unwrap().unwrap_err();
    assert!(matches!(error, Error::JobFailed { result: JobResult::Canceled, .. }), "{error:?}");
}

#[test]
fn many_at_once_over_one_connection() {
    if !booted() {
        return;
    }
    let bus = Arc::new(SystemdBus::new());
    let units: Vec<Unit> = (0..30)
        .map(|n| Unit::new(&format!("many{n}"), "Type=exec\nExecStart=sleep 1000"))
        .collect();
    let begin = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let starts: Vec<_> = units
            .iter()
            .map(|unit| {
                let (bus, name) = (Arc::clone(&bus), unit.name.clone());
                tokio::task::spawn_blocking(move || bus.run_job(JobKind::Start, &name, LIMIT))
            })
            .collect();
        for start in starts {
            start.await.unwrap().unwrap();
        }
    });
    println!("30 starts: {:?}", begin.elapsed());
    let listed = bus.list_units(&["volt-test-many*"]).unwrap();
    assert_eq!(listed.iter().filter(|unit| unit.active == ActiveState::Active).count(), 30);
}

#[test]
fn news_of_units() {
    if !booted() {
        return;
    }
    let bus = SystemdBus::new();
    let unit = Unit::new("news", "Type=exec\nExecStart=sleep 1000");
    let watch = bus.watch(&["volt-test-news-*"]).unwrap();
    bus.run_job(JobKind::Start, &unit.name, LIMIT).unwrap();
    bus.run_job(JobKind::Stop, &unit.name, LIMIT).unwrap();
    let mut changes = Vec::new();
    while let Some(event) = watch.next(Duration::from_millis(500)).unwrap() {
        // Another test may have had systemd read its files again.
        if event.change == UnitChange::Reloaded {
            continue;
        }
        assert_eq!(event.unit, unit.name);
        changes.push(event.change);
    }
    let state = |active, sub: &str| UnitChange::State { active, sub: sub.to_owned() };
    for wanted in [
        state(ActiveState::Active, "running"),
        state(ActiveState::Inactive, "dead"),
        UnitChange::JobEnded(JobResult::Done),
    ] {
        assert!(changes.contains(&wanted), "{wanted:?} in {changes:?}");
    }
    let all = bus.watch(&["nothing"]).unwrap();
    bus.daemon_reload().unwrap();
    assert_eq!(all.next(LIMIT).unwrap().unwrap().change, UnitChange::Reloaded);
}

#[test]
fn a_watch_opens_however_much_happens() {
    if !booted() {
        return;
    }
    let (bus, other) = (SystemdBus::new(), SystemdBus::new());
    let open = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Each reload tells of every unit of the host.
        scope.spawn(|| {
            while !open.load(std::sync::atomic::Ordering::Relaxed) {
                other.daemon_reload().unwrap();
            }
        });
        let watches: Vec<_> = (0..20).map(|_| bus.watch(&["nothing"])).collect();
        open.store(true, std::sync::atomic::Ordering::Relaxed);
        for watch in watches {
            watch.unwrap();
        }
    });
}

#[test]
fn properties_and_unit_files() {
    if !booted() {
        return;
    }
    let bus = SystemdBus::new();
    println!("version {}", bus.version().unwrap());
    let install = "Type=exec\nExecStart=sleep 1000\n[Install]\nWantedBy=multi-user.target";
    let unit = Unit::new("properties", install);
    bus.run_job(JobKind::Start, &unit.name, LIMIT).unwrap();
    let settings = [
        ("MemoryMax", Setting::U64(64 << 20)),
        ("CPUQuotaPerSecUSec", Setting::U64(2_000_000)),
        ("TasksMax", Setting::U64(u64::MAX)),
        ("IOReadBandwidthMax", Setting::Limits(vec![("/".into(), 1 << 20)])),
        ("AllowedCPUs", Setting::Bytes(vec![1])),
        ("Description", Setting::Text("changed".into())),
    ];
    bus.set_properties(&unit.name, Lifetime::Runtime, &settings).unwrap();
    let names = ["MemoryMax", "TasksMax", "Description", "WantedBy", "NoSuchProperty"];
    let read = bus.unit_properties(&unit.name, &names).unwrap();
    assert_eq!((read.number("MemoryMax"), read.number("TasksMax")), (Some(64 << 20), None));
    assert_eq!((read.text("Description").as_str(), read.0.len()), ("changed", 4));
    let wrong = [("MemoryMax", Setting::Text("much".into()))];
    let error = bus.set_properties(&unit.name, Lifetime::Runtime, &wrong).unwrap_err();
    assert!(matches!(error, Error::Other { .. }), "{error:?}");
    bus.enable(&[&unit.name], Lifetime::Runtime).unwrap();
    let link = PathBuf::from("/run/systemd/system/multi-user.target.wants").join(&unit.name);
    assert!(fs::symlink_metadata(&link).is_ok());
    bus.disable(&[&unit.name], Lifetime::Runtime).unwrap();
    assert!(fs::symlink_metadata(&link).is_err());
    let kept = format!("/run/systemd/system.control/{}.d", unit.name);
    drop(fs::remove_dir_all(kept));
    println!("machines: {:?}", bus.machines());
    assert_eq!(bus.machine_leader("volt-no-such").unwrap(), None);
}

/// Stands between us and the bus, so that the connection can be cut without harm to others.
fn cuttable_bus(path: &std::path::Path) -> Arc<Mutex<Vec<UnixStream>>> {
    let listener = UnixListener::bind(path).unwrap();
    let open = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&open);
    std::thread::spawn(move || {
        for ours in listener.incoming().map_while(Result::ok) {
            let bus = UnixStream::connect("/run/dbus/system_bus_socket").unwrap();
            for (mut from, mut to) in [
                (ours.try_clone().unwrap(), bus.try_clone().unwrap()),
                (bus.try_clone().unwrap(), ours.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || io::copy(&mut from, &mut to));
            }
            kept.lock().unwrap().extend([ours, bus]);
        }
    });
    open
}

#[test]
fn a_lost_connection_is_opened_again() {
    if !booted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bus");
    let open = cuttable_bus(&path);
    let cut = || {
        for stream in open.lock().unwrap().drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    };
    let bus = SystemdBus::at(&format!("unix:path={}", path.display()));
    bus.version().unwrap();
    let watch = bus.watch(&[]).unwrap();
    cut();
    bus.version().unwrap();
    let ended = (0..1000).find_map(|_| watch.next(Duration::from_millis(10)).err());
    assert!(matches!(ended, Some(Error::NoBus { .. })), "{ended:?}");
    // Also while a job is waited for.
    let unit = Unit::new("cut", "Type=oneshot\nExecStart=sleep 1");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bus.run_job(JobKind::Start, &unit.name, LIMIT));
        std::thread::sleep(Duration::from_millis(300));
        cut();
        let ended = waiting.join().unwrap();
        assert_eq!(ended.unwrap(), JobResult::Done);
    });
}

#[test]
fn the_journal_there_and_back() {
    if !booted() {
        return;
    }
    let name = format!("test-{}", std::process::id());
    let since = SystemTime::now() - Duration::from_secs(5);
    let common = [("VOLT_WORKLOAD", name.as_str()), ("SYSLOG_IDENTIFIER", "volt-test")];
    let mut writer = JournalWriter::new(&common).unwrap();
    let query = Query::new().field("VOLT_WORKLOAD", &name).since(since);
    let mut following = query.clone().follow().read().unwrap();
    for n in 0..100 {
        writer.write(format!("line {n}").as_bytes(), 6, &[("VOLT_STREAM", "stdout")]).unwrap();
    }
    writer.write(b"bad\x01bytes\xff\nand two lines", 3, &[("VOLT_STREAM", "stderr")]).unwrap();
    writer.write(&vec![b'x'; 1 << 20], 6, &[]).unwrap();
    let followed: Vec<_> = following.by_ref().take(102).map(Result::unwrap).collect();
    drop(following);
    Command::new("journalctl").arg("--sync").run().unwrap();
    let read: Vec<_> = query.read().unwrap().map(Result::unwrap).collect();
    assert!(read == followed, "{} read, {} followed", read.len(), followed.len());
    assert_eq!(
        (read[7].message.as_slice(), read[7].stream.as_deref()),
        (&b"line 7"[..], Some("stdout"))
    );
    assert_eq!(read[100].message, b"bad\x01bytes\xff\nand two lines");
    assert_eq!((read[100].priority, read[100].stream.as_deref()), (Some(3), Some("stderr")));
    assert_eq!(read[101].message.len(), 1 << 20);
    assert_eq!(
        (read[0].pid, read[0].identifier.as_deref()),
        (Some(std::process::id()), Some("volt-test"))
    );
    let last: Vec<_> = query.clone().lines(2).read().unwrap().map(Result::unwrap).collect();
    assert!(last == read[100..], "{} entries", last.len());
    let last: Vec<_> =
        query.clone().lines(2).follow().read().unwrap().take(2).map(Result::unwrap).collect();
    assert!(last == read[100..], "{} entries", last.len());
    let paged: Vec<_> =
        query.clone().after(&read[9].cursor).lines(5).read().unwrap().map(Result::unwrap).collect();
    assert!(paged == read[10..15], "{} entries", paged.len());
    let after = query.clone().after(&read[99].cursor).read().unwrap();
    assert!(after.map(Result::unwrap).eq(read[100..].iter().cloned()));
    let grepped = query.clone().grep("line [12]0$").read().unwrap().map(Result::unwrap);
    assert_eq!(grepped.count(), 2);
    assert_eq!(query.grep("nothing like it").read().unwrap().count(), 0);
    let error = Query::new().field("not a field", "x").read().unwrap().next().unwrap().unwrap_err();
    println!("{error}");
}

#[test]
fn output_of_a_unit_is_found_by_its_name() {
    if !booted() {
        return;
    }
    let unit = Unit::new("output", "Type=oneshot\nExecStart=sh -c 'echo hello; exit 3'");
    let bus = SystemdBus::new();
    bus.run_job(JobKind::Start, &unit.name, LIMIT).unwrap_err();
    Command::new("journalctl").arg("--sync").run().unwrap();
    let entries: Vec<_> =
        Query::new().unit(&unit.name).read().unwrap().map(Result::unwrap).collect();
    assert!(entries.iter().all(|entry| entry.unit.as_deref() == Some(unit.name.as_str())));
    assert!(entries.iter().any(|entry| entry.message == b"hello"));
    assert!(entries.iter().any(|entry| entry.identifier.as_deref() == Some("systemd")));
}
