//! Our own process and real children.

use super::*;
use crate::command::{Command, Stream};
use proptest::prelude::*;
use std::io::Read;

#[test]
fn own_process() {
    let pid = std::process::id();
    let stat = stat(pid).unwrap();
    assert_eq!((stat.pid, stat.parent), (pid, std::os::unix::process::parent_id()));
    let status = status(pid).unwrap();
    assert_eq!(status.uid, rustix::process::geteuid().as_raw());
    assert!(status.threads >= 1 && status.resident > 0 && status.ns_pids.last().is_some());
    assert!(Identity::of(pid).unwrap().is_alive());
    assert_eq!(Pidfd::open(pid).unwrap().pid().unwrap(), pid);
    cgroup(pid).unwrap();
}

#[test]
fn a_child_from_start_to_end() {
    let child =
        Command::new("sh").args(["-c", "sleep 60 & wait"]).stdout(Stream::Null).spawn().unwrap();
    let identity = Identity::of(child.id()).unwrap();
    assert!(children(std::process::id()).unwrap().contains(&child.id()));
    let fd = identity.hold().unwrap().unwrap();
    assert!(!fd.wait(Duration::from_millis(10)).unwrap());
    assert!(fd.signal(Signal::KILL).unwrap());
    assert!(fd.wait(Duration::from_secs(5)).unwrap());
    assert!(!identity.is_alive(), "a zombie does not run");
    drop(child);
    assert!(!fd.signal(Signal::KILL).unwrap());
    assert_eq!(fd.pid().unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(identity.hold().unwrap().is_none());
    assert_eq!(super::stat(identity.pid).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn daemonize_refuses_when_there_are_threads() {
    let out: OwnedFd = fs::File::open("/dev/null").unwrap().into();
    assert_eq!(daemonize(out, &[]).unwrap_err().kind(), io::ErrorKind::Unsupported);
}

#[test]
fn daemonize_leaves_everything_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (said, pipe) = (dir.path().join("said"), rustix::pipe::pipe().unwrap());
    let script = "ps -o pid=,sid= -p $$; readlink /proc/self/fd/0; ls /proc/$$/fd; pwd";
    // SAFETY: the child is a copy with this one thread; it ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let out = fs::File::create(&said).unwrap();
        let code = match daemonize(out.into(), &[pipe.1.as_fd()]) {
            Ok(Forked::Caller(_)) => 0,
            Ok(Forked::Daemon) => {
                use std::os::unix::process::CommandExt;
                #[expect(clippy::disallowed_methods, reason = "exec in place, not a child")]
                drop(std::process::Command::new("sh").args(["-c", script]).exec());
                1
            }
            Err(_) => 2,
        };
        // SAFETY: as above.
        unsafe { libc::_exit(code) };
    }
    drop(pipe.1);
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(status, 0);
    // The kept end of the pipe closes when the daemon ends.
    fs::File::from(pipe.0).read_exact(&mut [0]).unwrap_err();
    let said = fs::read_to_string(said).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[1], *lines.last().unwrap()), ("/dev/null", "/"), "{said}");
    assert_eq!(lines.len(), 3 + 4, "0, 1, 2 and the kept one: {said}");
}

#[test]
fn stat_with_an_odd_name() {
    let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21 22";
    let stat = parse_stat(&format!("42 (a) (b) c) {tail}")).unwrap();
    assert_eq!((stat.comm.as_str(), stat.state, stat.start), ("a) (b) c", 'S', 4711));
    assert_eq!((stat.user_ticks, stat.system_ticks, stat.resident_pages), (11, 12, 21));
    assert_eq!(parse_cgroup("12:x:/a\n0::/b/c\n"), Some("/b/c".into()));
}

proptest! {
    #[test]
    fn parsers_never_panic(text in ".{0,200}") {
        parse_stat(&text);
        parse_status(&text);
        parse_children(&text);
    }
}
