//! Logs of containers.

use std::time::Duration;
use volt_e2e::{Host, on_hosts};

on_hosts! {
    fn container_logs_tell_streams_apart(host) {
        host.tiny();
        let _guard = host.container("log");
        host.volt(&["run", "-d", "--name", "log", "tiny", "sh", "-c", "echo plain; echo wrong >&2; sleep 0.2; echo last; sleep 1000"]).ok();
        host.until(Duration::from_secs(10), "volt logs log | grep -q last");
        // The last line of a stream, though another has one after it.
        assert_eq!(host.volt(&["logs", "--stream", "stderr", "-n", "1", "log"]).ok(), "wrong");
        assert_eq!(host.volt(&["logs", "--stream", "stdout", "-n", "1", "log"]).ok(), "last");
        host.volt(&["logs", "--stream", "stdout", "systemd-journald.service"]).fails(2);
        let lines = host.volt(&["logs", "log", "-o", "json"]).ok();
        let stream_of = |message: &str| {
            lines.lines().find(|l| l.contains(&format!("\"{message}\""))).map(|l| {
                let value: serde_json::Value = serde_json::from_str(l).expect("a line of JSON");
                value["stream"].as_str().unwrap_or_default().to_owned()
            })
        };
        assert_eq!(stream_of("plain").as_deref(), Some("stdout"), "{lines}");
        assert_eq!(stream_of("wrong").as_deref(), Some("stderr"), "{lines}");
        let journal = host.run(&["journalctl", "-u", "volt-container@log.service", "-p", "err", "-o", "cat", "--no-pager"]).ok();
        assert!(journal.contains("wrong") && !journal.contains("plain"), "{journal}");
    }
}

on_hosts! {
    fn container_logs_lose_nothing_under_load(host) {
        host.tiny();
        let _guard = host.container("flood");
        let begun = host.sh("date +%s").ok();
        host.volt(&["container", "create", "--name", "flood", "tiny", "sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); echo line-$i; done"]).ok();
        host.volt(&["container", "start", "flood"]).ok();
        host.volt(&["container", "wait", "flood"]).ok();
        host.until(Duration::from_secs(30), &format!("test $(journalctl -u volt-container@flood.service --since @{begun} -o cat --no-pager | grep -c '^line-') = 50000"));
        assert_eq!(host.sh("volt logs flood | grep -c line-").ok(), "50000");
        assert!(host.volt(&["logs", "-n", "1", "--grep", "line-777$", "flood"]).ok().contains("line-777"));
    }
}

on_hosts! {
    fn container_logs_follow(host) {
        host.tiny();
        let _guard = host.container("tail");
        host.volt(&["run", "-d", "--name", "tail", "tiny", "sh", "-c", "for i in 1 2 3; do sleep 0.3; echo n$i; done"]).ok();
        let followed = host.sh("timeout 20 volt logs -f tail").ok();
        assert!(followed.contains("n1") && followed.contains("n3"), "{followed}");
    }
}

on_hosts! {
    fn container_logs_by_the_clock(host) {
        host.tiny();
        let _guard = host.container("clock");
        host.volt(&["run", "-d", "--name", "clock", "tiny", "sh", "-c", "echo now; sleep 1000"]).ok();
        host.until(Duration::from_secs(10), "volt logs clock | grep -q now");
        // As tables show it, in whatever zone whoever looks is.
        for zone in ["UTC", "EST5", "JST-9"] {
            let lines = |ask: &str| host.sh(&format!("export TZ={zone}; volt logs {ask} clock | wc -l")).ok();
            assert_eq!(lines("--since \"$(date -d '-1 hour' '+%F %T')\""), "1", "{zone}");
            assert_eq!(lines("--since \"$(date -d '+1 hour' '+%F %T')\""), "0", "{zone}");
            assert_eq!(lines("--until \"$(date -d '-1 hour' '+%F %H:%M')\""), "0", "{zone}");
        }
        host.volt(&["logs", "--grep", "(", "clock"]).fails(2);
    }
}

on_hosts! {
    fn workload_logs_of_a_unit_of_the_host(host) {
        assert!(!host.volt(&["logs", "-n", "5", "systemd-journald.service"]).ok().is_empty());
        host.volt(&["logs", "no-such-thing"]).fails(3);
        host.volt(&["logs", "no-such-thing.service"]).fails(3);
    }
}

on_hosts! {
    fn container_logs_between_two_times(host) {
        host.tiny();
        let _guard = host.container("hours");
        host.volt(&["run", "-d", "--name", "hours", "tiny", "sh", "-c",
            "for word in early middle late; do echo $word; touch /$word; while test -e /$word; do sleep 0.02; done; done; sleep 1000"]).ok();
        // When each was there, and only then the next one.
        let moment = |word: &str| {
            host.until(Duration::from_secs(10), &format!("volt logs hours | grep -q {word}"));
            let now = host.sh("sleep 0.01; date --utc +%Y-%m-%dT%H:%M:%S.%6NZ; sleep 0.01").ok();
            host.volt(&["exec", "hours", "rm", &format!("/{word}")]).ok();
            now
        };
        let (first, second) = (moment("early"), moment("middle"));
        host.until(Duration::from_secs(10), "volt logs hours | grep -q late");
        let logs = |flags: &[&str]| host.volt(&[&["logs"], flags, &["hours"]].concat()).ok();
        assert_eq!(logs(&["--until", &first]), "early");
        assert_eq!(logs(&["--until", &second]), "early\nmiddle");
        assert_eq!(logs(&["--since", &first, "--until", &second]), "middle");
        assert_eq!(logs(&["--since", &second]), "late");
        assert_eq!(logs(&["--until", "1h"]), "");
        assert_eq!(logs(&["--since", "1h"]), "early\nmiddle\nlate");
        assert_eq!(logs(&["-n", "1", "--until", &second]), "middle");
        let of_unit = |until: &str| host.volt(&["logs", "--since", &first, "--until", until, "volt-container@hours.service"]).ok();
        assert_eq!(of_unit(&second), "middle");
        host.volt(&["logs", "--until", "some day", "hours"]).fails(2);
        host.volt(&["logs", "--since", &second, "--until", &first, "hours"]).fails(2);
    }
}

/// Writes its number on each of so many lines, every other to standard error, at some 11,000 lines a second: the time that is left
/// of each hundredth of a second is slept.
const METRONOME: &str = "\
$| = 1; sub pause { select undef, undef, undef, $_[0] } \
sub now { my $t = pack 'qq', 0, 0; syscall 228, 1, $t; my ($s, $n) = unpack 'qq', $t; $s + $n / 1e9 } \
until (-e '/go') { pause 0.01 } \
my $begun = now; \
for my $n (1 .. 110000) { \
    if ($n % 2) { print STDOUT \"out $n\\n\" } else { print STDERR \"err $n\\n\" } \
    if ($n % 110 == 0) { my $early = $begun + $n / 11000 - now; pause $early if $early > 0 } \
} \
printf STDOUT \"rate %d\\n\", 110000 / (now() - $begun);";

/// Follows the log of a metronome, and reads it once more afterwards: each line is there once, in order, on its own stream, and the
/// writer got as far as `rate` lines a second.
fn all_lines_come(host: &Host, name: &str, rate: u32, meanwhile: &str) {
    host.debian();
    let _guard = host.container(name);
    // As every machine has it: what a container may write is for its unit to say.
    host.sh("! systemd-analyze cat-config systemd/journald.conf | grep ^RateLimit").ok();
    host.volt(&["run", "-d", "--name", name, "debian", "perl", "-e", METRONOME]).ok();
    let follow = ["timeout", "120", "volt", "logs", "-f", "-o", "json", name];
    let output = std::thread::scope(|scope| {
        let followed = scope.spawn(|| host.run(&follow));
        host.until(Duration::from_secs(10), &format!("pgrep -f 'volt logs -f -o json {name}'"));
        let others = scope.spawn(|| host.sh(meanwhile));
        host.volt(&["exec", name, "touch", "/go"]).ok();
        others.join().unwrap().ok();
        followed.join().unwrap().ok()
    });
    let whole = host.volt(&["logs", "-o", "json", name]).ok();
    for (how, text) in [("followed", output), ("read afterwards", whole)] {
        let (mut out, mut err, mut reached) = (1, 2, 0);
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let message = line["message"].as_str().unwrap();
            let (word, number) = message.split_once(' ').unwrap();
            let number: u32 = number.parse().unwrap();
            match (word, line["stream"].as_str().unwrap()) {
                ("out", "stdout") if number == out => out += 2,
                ("err", "stderr") if number == err => err += 2,
                ("rate", "stdout") => reached = number,
                _ => panic!("{how}: after {out} and {err} comes {line}"),
            }
        }
        assert_eq!((out, err), (110_001, 110_002), "{how}");
        assert!(reached > rate, "it was held up: {reached} lines a second");
    }
}

on_hosts! {
    fn container_logs_keep_up_under_load(host) {
        all_lines_come(host, "metronome", 10_000, "true");
    }
}

on_hosts! {
    fn container_logs_followed_under_load(host) {
        // Where others have the processors the writer is held up, and still no line is lost.
        all_lines_come(host, "beside-others", 1_000, "for n in 1 2; do timeout 12 sh -c 'while :; do :; done' & done; wait; true");
    }
}
