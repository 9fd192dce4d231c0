//! What the relay does with a command's output, input, clients and end. Needs root.

mod support;

use std::time::{Duration, Instant};

use support::{Relay, run, run_beside, shell, shown};
use volt_model::frame::Frame;
use volt_model::initspec::InitSpec;
use volt_relay::{Exit, Failure, Leader};

/// A relay around a script, which is held where that is asked for.
fn sh(options: &[&str], script: &str) -> Relay {
    let hold = options.contains(&"--attach-hold");
    run(options, &InitSpec { hold, tty: options.contains(&"--tty"), ..shell(script) })
}

/// One that reads what clients type.
fn typed(options: &[&str], script: &str) -> Relay {
    let hold = options.contains(&"--attach-hold");
    run(options, &InitSpec { hold, stdin: true, ..shell(script) })
}

#[test]
fn lines_go_to_the_journal_and_the_end_is_recorded() {
    let mut relay = sh(&[], "echo out; sleep 0.05; echo err >&2; exit 3");
    let (code, entries) = relay.end();
    assert_eq!(code, 3);
    let seen: Vec<_> = entries
        .iter()
        .map(|e| ["MESSAGE", "PRIORITY", "VOLT_STREAM"].map(|name| e.field(name)))
        .collect();
    assert_eq!(seen, [["out", "6", "stdout"], ["err", "3", "stderr"]]);
    assert_eq!(entries[0].field("SYSLOG_IDENTIFIER"), "web");
    assert_eq!(entries[0].field("VOLT_WORKLOAD"), "web");
    let told = relay.told();
    assert!(told.starts_with("READY=1\nSTATUS="), "{told}");
    let exit = Exit::read(&relay.run_dir()).unwrap();
    assert_eq!((exit.code, exit.signal), (3, None));
    assert_eq!(Failure::read(&relay.run_dir()), None);
    let left: Vec<_> = std::fs::read_dir(relay.run_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left.len(), 2, "only leader and exit are left: {left:?}");
}

#[test]
fn a_missing_program_is_a_failure_without_ready() {
    let app = ["--mode", "app"];
    let mut relay = Relay::start(&app, &["/no/such/program"]);
    let (code, entries) = relay.end();
    assert_eq!(code, 127);
    let failure = Failure::read(&relay.run_dir()).unwrap();
    assert_eq!((failure.code, failure.message.as_str()), (127, "program is not installed"));
    assert_eq!(entries[0].field("MESSAGE"), failure.message);
    assert_eq!(Exit::read(&relay.run_dir()).unwrap().code, 127);
    assert!(!relay.told().contains("READY"));
    assert_eq!(Relay::start(&app, &["/etc/passwd"]).wait(), 126);
}

#[test]
fn a_stop_is_passed_on_and_its_signal_recorded() {
    let mut relay = sh(&[], "sleep 60");
    relay.ready();
    let leader = Leader::read(&relay.run_dir()).unwrap();
    relay.signal("TERM");
    assert_eq!(relay.wait(), 143);
    let exit = Exit::read(&relay.run_dir()).unwrap();
    assert_eq!((exit.code, exit.signal), (143, Some(15)));
    assert_eq!(Leader::read(&relay.run_dir()), None, "{leader:?} is gone");
    assert!(relay.told().contains("STOPPING=1"));
}

#[test]
fn a_client_types_into_cat_and_ends_it() {
    let mut relay = typed(&[], "exec cat");
    let mut client = relay.attach();
    client.send(&Frame::Stdin(b"hello\n".to_vec()));
    assert_eq!(client.read_until("hello\n"), "hello\n");
    client.send(&Frame::Stdin(vec![]));
    assert_eq!(client.rest(), (vec![], vec![], 0));
    assert_eq!(relay.wait(), 0);
}

#[test]
fn a_lot_of_input_goes_through_cat_unchanged() {
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut relay = typed(&["--attach-hold", "--log", "/dev/null"], "exec cat");
    let mut client = relay.attach();
    let mut socket = client.socket.try_clone().unwrap();
    let frames = [Frame::Stdin(sent.clone()).encode(), Frame::Stdin(vec![]).encode()].concat();
    let writer = std::thread::spawn(move || {
        std::io::Write::write_all(&mut socket, &frames).unwrap();
    });
    let mut found = Vec::new();
    while let Some(frame) = client.frame() {
        if let Frame::Stdout(bytes) = frame {
            found.extend(bytes);
        }
    }
    writer.join().unwrap();
    assert!(found == sent, "{} of {} bytes", found.len(), sent.len());
    assert_eq!(relay.wait(), 0);
}

#[test]
fn a_terminal_has_the_clients_size_and_passes_control_characters() {
    let script = "trap 'exit 9' INT; tty >/dev/null && stty size; read x; echo got $x; \
                  while :; do sleep 0.05; done";
    let mut relay = sh(&["--tty", "--attach-hold"], script);
    let mut client = relay.attach();
    client.send(&Frame::Resize { columns: 101, rows: 37 });
    client.send(&Frame::Stdin(b"word\r".to_vec()));
    let seen = client.read_until("got word\r\n");
    // The size may come just after the program has asked for it.
    assert!(seen.contains("37 101") || seen.contains("24 80"), "{seen}");
    client.send(&Frame::Stdin(vec![3]));
    let (_, _, code) = client.rest();
    assert_eq!((code, relay.wait()), (9, 9));
}

#[test]
fn clients_that_come_late_get_what_was_said_and_all_get_the_rest() {
    let mut relay = typed(&[], "echo one; echo two >&2; read x; echo three $x");
    relay.entry();
    relay.entry();
    let (mut first, second) = (relay.attach(), relay.attach());
    first.send(&Frame::Stdin(b"!\n".to_vec()));
    for client in [first, second] {
        let (out, err, code) = client.rest();
        assert_eq!((shown(&out), shown(&err), code), ("one\nthree !\n".into(), "two\n".into(), 0));
    }
    assert_eq!(relay.wait(), 0);
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let script = "read x; head -c 20000000 /dev/zero | tr '\\0' x | fold -w 100";
    let mut relay = typed(&["--log", "/dev/null"], script);
    let slow = relay.attach();
    let mut quick = relay.attach();
    quick.send(&Frame::Stdin(b"\n".to_vec()));
    drop(quick);
    let begun = Instant::now();
    assert_eq!(relay.wait(), 0);
    assert!(begun.elapsed() < Duration::from_secs(15));
    drop(slow);
}

#[test]
fn the_owner_misses_nothing_however_slowly_it_reads() {
    let script = "i=0; while [ $i -lt 5 ]; do head -c 1000000 /dev/zero; i=$((i+1)); done";
    let mut relay = sh(&["--attach-hold", "--log", "/dev/null"], script);
    std::thread::sleep(Duration::from_millis(100));
    assert!(relay.told().is_empty(), "nothing runs before the client comes");
    let client = relay.attach();
    std::thread::sleep(Duration::from_millis(500));
    let (out, _, code) = client.rest();
    assert_eq!((out.len(), code), (5_000_000, 0));
    assert_eq!(relay.wait(), 0);
}

#[test]
fn an_owner_that_leaves_lets_the_workload_go_on() {
    let script = "head -c 5000000 /dev/zero; echo; echo end";
    let mut relay = sh(&["--attach-hold"], script);
    drop(relay.attach());
    let (code, entries) = relay.end();
    assert_eq!((code, entries.last().unwrap().field("MESSAGE")), (0, "end"));
}

#[test]
fn a_begun_line_is_logged_after_a_moment() {
    let mut relay = sh(&[], "printf 'no end'; sleep 0.4; echo ' yet'");
    let begun = Instant::now();
    assert_eq!(relay.entry().field("MESSAGE"), "no end");
    assert!(begun.elapsed() < Duration::from_millis(390), "{:?}", begun.elapsed());
    assert_eq!(relay.entry().field("MESSAGE"), " yet");
    assert_eq!(relay.wait(), 0);
}

#[test]
fn lines_go_to_a_file_where_there_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut relay = sh(&["--log", log.to_str().unwrap()], "echo a; sleep 0.05; echo b >&2");
    assert_eq!(relay.wait(), 0);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["stream"], &lines[0]["message"]), (&"stdout".into(), &"a".into()));
    assert_eq!((&lines[1]["stream"], &lines[1]["message"]), (&"stderr".into(), &"b".into()));
}

#[test]
fn a_slow_journal_does_not_cut_lines() {
    let script = "seq 1 60000 & seq 1 60000 >&2; wait";
    let mut relay = run_beside(1, &[], &shell(script));
    let mut seen = [0, 0];
    loop {
        let pause = if seen[0] % 20_000 == 10_000 { 250 } else { 0 };
        std::thread::sleep(Duration::from_millis(pause));
        let Some(entry) = relay.entry_within(Duration::from_secs(2)) else { break };
        let stream = usize::from(entry.field("VOLT_STREAM") == "stderr");
        seen[stream] += 1;
        assert_eq!(entry.field("MESSAGE"), seen[stream].to_string());
    }
    assert_eq!((seen, relay.wait()), ([60_000; 2], 0));
}
