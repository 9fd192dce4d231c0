//! Parsers everywhere; a real group where the hierarchy is writable.

use super::*;
use crate::command::Command;
use proptest::prelude::*;

#[test]
fn files() {
    let cpu = CpuUse::parse("usage_usec 30\nuser_usec 10\nsystem_usec 20\nthrottled_usec 5\nx y\n");
    assert_eq!((cpu.total, cpu.user, cpu.system, cpu.throttled), (30, 10, 20, 5));
    let io = parse_io("8:0 rbytes=10 wbytes=1 rios=1\n8:16 rbytes=5 wbytes=2\n");
    assert_eq!((io.read, io.written), (15, 3));
    assert_eq!((parse_limit("max\n"), parse_limit("7\n")), (None, Some(7)));
    assert_eq!(MemoryEvents::parse("oom 1\noom_kill 2\nmax 3").oom_kill, 2);
}

proptest! {
    #[test]
    fn parsers_never_panic(text in ".{0,200}") {
        CpuUse::parse(&text);
        parse_io(&text);
    }
}

#[test]
fn freeze_and_kill_a_real_group() {
    let made = root().map(|root| root.join(format!("volt-test-{}", std::process::id())));
    let Some(path) = made.ok().filter(|path| fs::create_dir(path).is_ok()) else {
        println!("SKIPPED: no writable v2 hierarchy");
        return;
    };
    let group = Cgroup::at(&path);
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    group.add_process(child.id()).unwrap();
    assert_eq!(group.processes().unwrap(), [child.id()]);
    group.freeze(Duration::from_secs(5)).unwrap();
    assert!(group.is_frozen().unwrap());
    group.thaw().unwrap();
    assert!(group.usage().unwrap().cpu.is_some());
    assert!(!group.wait_empty(Duration::from_millis(20)).unwrap());
    group.kill().unwrap();
    assert!(group.wait_empty(Duration::from_secs(5)).unwrap());
    assert_eq!(child.wait().unwrap().code(), 137);
    fs::remove_dir(&path).unwrap();
    assert!(!group.exists());
    assert!(group.usage().unwrap().cpu.is_none());
    assert!(group.controllers().unwrap_err().is_not_found());
}
