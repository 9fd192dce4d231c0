//! The built init in real namespaces: what its command sees, what is reported, how it ends. Needs root.

mod support;

use std::io::Write as _;
use std::time::Duration;

use support::{Running, all_of, fail, run, shell, spec};

fn script(records: &[&str], script: &str) -> support::Outcome {
    run(Running::init(&shell(records, script)))
}

#[test]
fn exit_codes_pass_and_133_is_mapped_away() {
    for (code, seen) in [(0, 0), (3, 3), (255, 255), (133, 1)] {
        let outcome = script(&[], &format!("exit {code}"));
        assert_eq!((outcome.code, outcome.report), (seen, format!("exited {code}")));
    }
}

#[test]
fn the_end_by_a_signal_is_128_and_the_signal() {
    for (name, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11)] {
        let outcome = script(&["rlimit=CORE:0:0"], &format!("kill -{name} $$"));
        assert_eq!((outcome.code, outcome.report), (128 + number, format!("signaled {number}")));
    }
}

#[test]
fn what_cannot_be_executed_is_said_with_its_code() {
    let cases = [
        (&["no-such-program"][..], 127, "no-such-program: command not found"),
        (&["/no/such/program"], 127, "/no/such/program: command not found"),
        (&["/etc/passwd"], 126, "/etc/passwd: permission denied"),
        (&["/etc"], 126, "/etc: permission denied"),
    ];
    for (args, code, message) in cases {
        let (report, exit) = fail(Running::init(&spec(&[], args)));
        assert_eq!((report, exit), (format!("failed {code} {message}"), code));
    }
}

#[test]
fn a_broken_spec_and_an_unknown_user_are_said() {
    let (report, code) = fail(Running::init(b"version=2\0"));
    assert_eq!((report.as_str(), code), ("failed 125 the spec: is not of version 1", 125));
    let (report, code) = fail(Running::init(&shell(&["user=nosuch"], "true")));
    assert_eq!(code, 126);
    assert_eq!(report, "failed 126 cannot run: the image's /etc/passwd has no user \"nosuch\"");
}

#[test]
fn the_streams_stay_apart_and_input_is_empty() {
    let outcome = script(&[], "echo out; echo err >&2; cat; echo end");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("out\nend\n", "err\n"));
}

#[test]
fn standard_input_is_kept_open_when_asked() {
    let running = Running::init(&spec(&["stdin=1"], &["cat"]));
    let io = running.message();
    let [stdin, stdout, _stderr] = <[_; 3]>::try_from(io.descriptors).unwrap();
    let mut stdin = std::fs::File::from(stdin);
    stdin.write_all(b"hello").unwrap();
    drop(stdin);
    assert_eq!(all_of(&stdout), "hello");
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn a_user_can_write_to_dev_stdout_by_name() {
    let outcome = script(&["user=daemon"], "echo x > /dev/stdout; echo y > /dev/stderr");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("x\n", "y\n"));
    assert_eq!(outcome.code, 0);
}

#[test]
fn users_groups_home_and_path_are_as_the_image_says() {
    let asked = "echo $(id -u):$(id -g):$(id -G):$HOME:$PATH:$(umask)";
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let cases: [(&[&str], String); 4] = [
        (&["user=daemon"], format!("1:1:1:/usr/sbin:{path}:0022\n")),
        (&["user=daemon:4", "umask=77"], format!("1:4:4:/usr/sbin:{path}:0077\n")),
        (&["user=4242:4343"], format!("4242:4343:4343:/:{path}:0022\n")),
        (
            &["uid=1", "gid=4", "group=27", "group=44", "env=HOME=/h", "env=PATH=/usr/bin:/bin"],
            "1:4:4 27 44:/h:/usr/bin:/bin:0022\n".to_owned(),
        ),
    ];
    for (records, seen) in cases {
        assert_eq!(script(records, asked).stdout, seen, "{records:?}");
    }
}

#[test]
fn the_working_directory_is_made() {
    let outcome = script(&["cwd=/run/a/b", "user=daemon"], "pwd; stat -c %U:%a .");
    assert_eq!(outcome.stdout, "/run/a/b\nroot:755\n");
}

#[test]
fn a_terminal_is_the_containers_own() {
    let running = Running::init(&shell(&["tty=1", "user=daemon"], "tty; stty size; echo done"));
    let tty = running.message();
    assert_eq!((tty.text.as_str(), tty.descriptors.len()), ("tty", 1));
    assert_eq!(all_of(&tty.descriptors[0]), "/dev/pts/0\r\n0 0\r\ndone\r\n");
    assert_eq!(running.wait().code(), Some(0));
}

#[test]
fn control_c_on_the_terminal_reaches_the_command() {
    let running = Running::init(&spec(&["tty=1"], &["sleep", "60"]));
    let tty = running.message().descriptors.pop().unwrap();
    assert!(running.message().text.starts_with("started"));
    std::fs::File::from(tty.try_clone().unwrap()).write_all(b"\x03").unwrap();
    assert_eq!(running.message().text, "signaled 2");
    assert_eq!(running.wait().code(), Some(130));
}

fn status_of(records: &[&str], who: &str) -> impl Fn(&str) -> String + use<> {
    // `true` keeps the shell from executing cat in its own place.
    let text = script(records, &format!("sleep 0.2; cat /proc/{who}/status; true")).stdout;
    move |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }
}

/// `return ALLOW`.
const ALLOW: &str = "seccomp=060000000000ff7f";

#[test]
fn root_is_limited_to_the_bounding_set() {
    let status = status_of(&["caps=e3", "nnp=1", ALLOW], "self");
    let nothing = "0000000000000000";
    let cases = [
        ("CapBnd", "00000000000000e3"),
        ("CapEff", "00000000000000e3"),
        ("CapPrm", "00000000000000e3"),
        ("CapInh", nothing),
        ("CapAmb", nothing),
        ("NoNewPrivs", "1"),
        ("Seccomp:", "2"),
        ("SigBlk", nothing),
        ("SigIgn", nothing),
    ];
    for (key, value) in cases {
        assert_eq!(status(key), value, "{key}");
    }
}

#[test]
fn another_user_has_no_capability_in_effect() {
    let status = status_of(&["caps=e3", "user=daemon", ALLOW], "self");
    for (key, value) in [
        ("CapBnd", "00000000000000e3"),
        ("CapEff", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapInh", "0000000000000000"),
        ("NoNewPrivs", "0"),
        ("Seccomp:", "2"),
    ] {
        assert_eq!(status(key), value, "{key}");
    }
}

#[test]
fn pid_1_is_no_hole() {
    let status = status_of(&["caps=e3", "nnp=1", ALLOW], "1");
    for (key, value) in [
        ("CapEff", "0000000000000020"),
        ("CapBnd", "0000000000000020"),
        ("NoNewPrivs", "1"),
        ("Seccomp:", "2"),
    ] {
        assert_eq!(status(key), value, "{key}");
    }
    // Not dumpable: not even its environment can be read without ptrace capabilities.
    let outcome = script(&["caps=e3"], "cat /proc/1/environ >/dev/null && echo read");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn the_filter_filters() {
    // load nr; if nr == mkdir(83) or mkdirat(258): errno 1; else allow.
    let filter = "seccomp=20000000000000001500010053000000150000010201000006000000010005000600\
                  00000000ff7f";
    let outcome = script(&["nnp=1", filter], "mkdir /run/x; echo $?");
    assert_eq!(outcome.stdout, "1\n");
    assert!(outcome.stderr.contains("not permitted"), "{outcome:?}");
}

#[test]
fn limits_hold_for_the_command() {
    let outcome = script(&["rlimit=NOFILE:77:99"], "ulimit -Sn; ulimit -Hn; ls /proc/self/fd");
    assert_eq!(outcome.stdout, "77\n99\n0\n1\n2\n3\n");
}

#[test]
fn a_stop_is_the_stop_signal() {
    let wait = "trap 'echo got; exit 7' USR1; echo on; while :; do sleep 0.05; done";
    let running = Running::init(&shell(&["stop-signal=10"], wait));
    let io = running.message();
    assert!(running.message().text.starts_with("started"));
    read_line(&io.descriptors[0], "on\n");
    running.signal(15);
    assert_eq!(all_of(&io.descriptors[0]), "got\n");
    assert_eq!(running.message().text, "exited 7");
}

#[test]
fn a_power_off_from_outside_is_a_stop() {
    // SIGRTMIN+3 and +4, as systemd and machined send them.
    for number in [37, 38] {
        let wait = "trap 'exit 7' USR1; echo on; while :; do sleep 0.05; done";
        let running = Running::init(&shell(&["stop-signal=10"], wait));
        let io = running.message();
        running.message();
        read_line(&io.descriptors[0], "on\n");
        running.signal(number);
        assert_eq!(running.message().text, "exited 7", "signal {number}");
    }
}

fn read_line(fd: &std::os::fd::OwnedFd, expected: &str) {
    let mut buffer = vec![0; expected.len()];
    let mut file = std::fs::File::from(fd.try_clone().expect("a copy"));
    std::io::Read::read_exact(&mut file, &mut buffer).expect("a line");
    assert_eq!(String::from_utf8_lossy(&buffer), expected);
}

#[test]
fn a_plain_command_is_stopped_by_term() {
    let running = Running::init(&spec(&[], &["sleep", "60"]));
    running.message();
    running.message();
    running.signal(15);
    assert_eq!(running.message().text, "signaled 15");
    assert_eq!(running.wait().code(), Some(143));
}

#[test]
fn hold_waits_for_go_and_signals_end_it() {
    let running = Running::init(&shell(&["hold=1"], "echo x"));
    let io = running.message();
    assert!(running.message_within(Duration::from_millis(100)).is_none());
    running.ask("go");
    assert!(running.message().text.starts_with("started"));
    assert_eq!(all_of(&io.descriptors[0]), "x\n");

    let running = Running::init(&shell(&["hold=1"], "echo x"));
    running.message();
    running.signal(15);
    let (report, code) = fail(running);
    assert_eq!(report, "failed 143 ended before the command was executed");
    assert_eq!(code, 143);
}

#[test]
fn orphans_are_reaped_and_die_with_the_command() {
    let orphans = "for i in 1 2 3; do (sleep 0.1 &) ; done; sleep 0.5; ps -e -o stat= | grep -c Z";
    assert_eq!(script(&[], orphans).stdout, "0\n");
    // The orphan holds the pipe open: it ends only because it is killed.
    let begun = std::time::Instant::now();
    assert_eq!(script(&[], "(sleep 60 &)").code, 0);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn exec_keeps_133_and_takes_signals_from_the_socket() {
    let outcome = run(Running::exec(&shell(&[], "exit 133")));
    assert_eq!((outcome.code, outcome.report.as_str()), (133, "exited 133"));
    // No shell stays in between: one that gets it between its fork and the exec of its child keeps it from the child.
    let running = Running::exec(&shell(&[], "exec sleep 60"));
    running.message();
    running.message();
    running.ask("signal 2");
    assert_eq!(running.message().text, "signaled 2");
    assert_eq!(running.wait().code(), Some(130));
}
