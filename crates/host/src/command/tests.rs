//! Runs real programs.

use super::{Command, Error, Line, Status, Stream};
use std::io::Read;
use std::time::{Duration, Instant};

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

#[test]
fn captures_output_and_feeds_input() {
    let big = vec![b'x'; 300_000];
    let output = Command::new("cat").input(big.clone()).output().unwrap();
    assert_eq!(output.stdout, big);
}

#[test]
fn environment_is_only_the_safe_set_and_what_is_given() {
    let text = Command::new("env").env("A", "1").output().unwrap().text();
    let mut names: Vec<_> = text.lines().map(|l| l.split('=').next().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "LANG", "PATH"]);
}

#[test]
fn failure_carries_status_and_the_tail_of_stderr() {
    let error = shell("seq 1 100000 >&2; exit 3").run().unwrap_err();
    let Error::Failed { program, status, stderr } = error else { panic!("{error:?}") };
    assert_eq!((program.as_str(), status), ("sh", Status::Code(3)));
    assert!(stderr.ends_with("100000") && stderr.len() <= 4096);
    assert_eq!(shell("kill -9 $$").output_any_status().unwrap().status.code(), 137);
}

#[test]
fn missing_program_names_its_package() {
    let error = Command::new("/nowhere/systemd-nspawn").run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "systemd-nspawn is not installed (Debian package systemd-container)"
    );
    let error = Command::new("true").cwd("/nowhere").run().unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}

#[test]
fn what_nobody_wants_any_more_is_killed_with_all_it_holds() {
    let begun = Instant::now();
    let wanted = || begun.elapsed() < Duration::from_millis(300);
    let mut lines = 0;
    let error = shell("while :; do echo x; sleep 0.05; done")
        .stream_while(&wanted, &mut |_| lines += 1)
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert!(lines > 0 && begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn time_limit_kills() {
    let begin = Instant::now();
    let error = shell("sleep 20").time_limit(Duration::from_millis(100)).run().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_grandchild_with_the_pipe_does_not_hold_us() {
    let begin = Instant::now();
    let output = shell("sleep 7 & echo hi").output().unwrap();
    assert_eq!(output.text(), "hi\n");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn stream_hands_over_lines() {
    let mut seen = Vec::new();
    shell("printf 'a\\nb\\rc'; printf 'e\\n' >&2")
        .stream(|line| match line {
            Line::Out(line) => seen.push(String::from_utf8_lossy(line).into_owned()),
            Line::Err(line) => assert_eq!(line, b"e"),
        })
        .unwrap();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn too_much_output_is_an_error() {
    let error = Command::new("seq").arg("1000").stdout_limit(100).output().unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}

#[test]
fn spawned_child_is_killed_on_drop() {
    let mut child = shell("echo up; sleep 60").stdout(Stream::Pipe).spawn().unwrap();
    let mut line = [0; 3];
    child.take_stdout().unwrap().read_exact(&mut line).unwrap();
    let stat = format!("/proc/{}", child.id());
    assert!(std::path::Path::new(&stat).exists());
    drop(child);
    assert!(!std::path::Path::new(&stat).exists());
}

#[test]
fn inherited_descriptors_keep_their_number() {
    use std::os::fd::AsRawFd;
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let number = writer.as_raw_fd();
    Command::new("bash")
        .args(["-c".to_owned(), format!("echo through >&{number}")])
        .inherit(writer)
        .run()
        .unwrap();
    let mut text = String::new();
    std::fs::File::from(reader).read_to_string(&mut text).unwrap();
    assert_eq!(text, "through\n");
}

#[test]
fn other_ids() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let text = shell("id -u; id -g; id -G").ids(65534, 65534).output().unwrap().text();
    assert_eq!(text, "65534\n65534\n65534\n");
}

#[test]
fn statx_can_be_hidden() {
    // The shell's own loader and `stat` fall back to the older calls.
    let output = Command::new("stat").args(["-c", "%F", "/"]).without_statx().output().unwrap();
    assert_eq!(output.text(), "directory\n");
    let status = Command::new("grep")
        .args(["-c", "^Seccomp:\t2$", "/proc/self/status"])
        .without_statx()
        .output()
        .unwrap();
    assert_eq!(status.text(), "1\n");
}
