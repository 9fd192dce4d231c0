//! The relay around Volt's real init, with a stand-in for nspawn that makes the namespaces. Needs root.

mod support;

use std::time::Duration;

use support::{Relay, run, shell, shown};
use volt_model::frame::Frame;
use volt_model::initspec::InitSpec;
use volt_relay::{Exit, Failure, Leader};

#[test]
fn codes_are_the_commands_own_and_lines_are_told_apart() {
    for code in [0, 3, 133, 255] {
        let mut relay =
            run(&[], &shell(&format!("echo out; sleep 0.05; echo err >&2; exit {code}")));
        let (seen, entries) = relay.end();
        assert_eq!(seen, code);
        let streams: Vec<_> =
            entries.iter().map(|e| (e.field("MESSAGE"), e.field("VOLT_STREAM"))).collect();
        assert!(streams.contains(&("out", "stdout")) && streams.contains(&("err", "stderr")));
        assert!(relay.told().contains("READY=1"));
    }
}

#[test]
fn a_command_that_is_not_there_is_a_failure_without_ready() {
    let mut relay = run(&[], &InitSpec::new(vec!["nosuch".into()]));
    assert_eq!(relay.wait(), 127);
    assert!(!relay.told().contains("READY"));
    let failure = Failure::read(&relay.run_dir()).unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (127, "nosuch: command not found"));
}

#[test]
fn a_container_that_never_begins_gives_its_last_words_as_the_reason() {
    let mut relay =
        Relay::start(&["--mode", "app"], &["/bin/sh", "-c", "echo No tree >&2; exit 1"]);
    let (code, entries) = relay.end();
    assert_eq!(code, 1);
    let words = ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER"].map(|name| entries[0].field(name));
    assert_eq!(words, ["No tree", "4", "sh"]);
    let failure = Failure::read(&relay.run_dir()).unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (1, "No tree"));
}

#[test]
fn a_stop_reaches_the_command_through_init() {
    let script = "trap 'echo bye; exit 7' QUIT; echo on; while :; do sleep 0.05; done";
    let mut relay = run(&[], &InitSpec { stop_signal: Some(3), ..shell(script) });
    relay.ready();
    let leader = Leader::read(&relay.run_dir()).expect("the leader is written before READY");
    let status = std::fs::read_to_string(format!("/proc/{}/status", leader.pid)).unwrap();
    let inner = status.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    assert!(inner.ends_with("\t1"), "the leader is PID 1 inside: {inner}");
    while relay.entry().field("MESSAGE") != "on" {}
    relay.signal("TERM");
    assert_eq!(relay.entry().field("MESSAGE"), "bye");
    assert_eq!(relay.wait(), 7);
}

#[test]
fn a_stop_in_the_first_moment_is_not_lost() {
    for _ in 0..10 {
        let mut relay = run(&[], &InitSpec::new(vec!["sleep".into(), "60".into()]));
        relay.attach();
        relay.signal("TERM");
        assert_eq!(relay.wait(), 143);
    }
}

#[test]
fn a_killed_container_is_137() {
    let mut relay = run(&[], &InitSpec::new(vec!["sleep".into(), "60".into()]));
    relay.ready();
    relay.attach().send(&Frame::Signal(9));
    assert_eq!(relay.wait(), 137);
    assert_eq!(Exit::read(&relay.run_dir()).unwrap().signal, Some(9));
}

#[test]
fn a_terminal_inside_is_worked_from_outside() {
    let spec = InitSpec { tty: true, hold: true, ..shell("tty; stty size; exec cat") };
    let mut relay = run(&["--attach-hold"], &spec);
    std::thread::sleep(Duration::from_millis(200));
    assert!(relay.told().is_empty(), "held until a client comes");
    let mut client = relay.attach();
    client.send(&Frame::Resize { columns: 91, rows: 33 });
    let seen = client.read_until("33 91\r\n");
    assert!(seen.starts_with("/dev/pts/0\r\n"), "{seen}");
    client.send(&Frame::Stdin(b"typed\r".to_vec()));
    client.read_until("typed\r\ntyped\r\n");
    client.send(&Frame::Stdin(vec![]));
    let (_, _, code) = client.rest();
    assert_eq!(code, 0);
    assert_eq!(relay.wait(), 0);
}

#[test]
fn signals_that_init_does_not_forward_go_by_the_control_socket() {
    let script = "trap 'echo got; exit 5' ALRM; echo on; while :; do sleep 0.05; done";
    let mut relay = run(&[], &shell(script));
    while relay.entry().field("MESSAGE") != "on" {}
    relay.attach().send(&Frame::Signal(14));
    assert_eq!(relay.wait(), 5);
}

#[test]
fn signals_that_come_before_init_are_kept_for_it() {
    let mut relay = run(&[], &shell("exec sleep 1000"));
    relay.attach().send(&Frame::Signal(2));
    assert_eq!(relay.wait(), 130);
}

#[test]
fn of_100_000_lines_none_is_lost() {
    let script = "seq 1 50000; seq 1 50000 >&2";
    let mut relay = run(&["--attach-hold"], &InitSpec { hold: true, ..shell(script) });
    let (out, err, code) = relay.attach().rest();
    assert_eq!(code, 0);
    let all: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
    assert!(shown(&out) == all && shown(&err) == all);
    let (_, entries) = relay.end();
    for stream in ["stdout", "stderr"] {
        let lines: String = entries
            .iter()
            .filter(|entry| entry.field("VOLT_STREAM") == stream)
            .map(|entry| format!("{}\n", entry.field("MESSAGE")))
            .collect();
        assert!(lines == all, "{stream}: {} lines", lines.lines().count());
    }
}
