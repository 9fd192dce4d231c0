//! Joins real processes in namespaces made by `unshare`; the helper is a fork of the test itself.

use super::*;
use crate::command::{Child, Stream};
use crate::process::{Pidfd, children};
use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

/// A leader in namespaces of its own.
fn leader(dir: &std::path::Path) -> (Child, u32) {
    let script = "echo up; exec sleep 60";
    let mut unshare = Command::new("unshare")
        .args(["--user", "--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child"])
        .args(["--map-root-user", "--mount-proc"])
        .args(["sh", "-c", script])
        .cwd(dir)
        .stdout(Stream::Pipe)
        .spawn()
        .unwrap();
    unshare.take_stdout().unwrap().read_exact(&mut [0; 3]).unwrap();
    let leader = children(unshare.id()).unwrap()[0];
    (unshare, leader)
}

/// Runs the helper in a forked copy of this process: its exit code, 250 for an error of its own.
fn helper(args: Vec<OsString>, while_it_runs: impl FnOnce(i32)) -> i32 {
    // SAFETY: the child has this one thread and ends by _exit.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = match main(args) {
            Ok(code) => code,
            Err(error) => {
                eprintln!(
                    "{error}: {:?}",
                    std::error::Error::source(&error).map(ToString::to_string)
                );
                250
            }
        };
        // SAFETY: as above.
        unsafe { libc::_exit(code) };
    }
    while_it_runs(pid);
    let mut status = 0;
    // SAFETY: our own child.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert!(libc::WIFEXITED(status), "{status:x}");
    libc::WEXITSTATUS(status)
}

fn words(leader: &Pidfd, program: &File, argv: &[&str]) -> Vec<OsString> {
    use std::os::fd::AsFd;
    // The forked copy adopts these numbers; leaked here so that nobody else gets them meanwhile.
    let leak = |fd: std::os::fd::BorrowedFd<'_>| {
        use std::os::fd::IntoRawFd;
        fd.try_clone_to_owned().unwrap().into_raw_fd().to_string()
    };
    let mut words = vec![
        "--leader".to_owned(),
        leak(leader.as_fd()),
        "--program".to_owned(),
        leak(program.as_fd()),
        "--".to_owned(),
    ];
    words.extend(argv.iter().map(|arg| (*arg).to_owned()));
    words.into_iter().map(OsString::from).collect()
}

#[test]
fn executes_in_all_namespaces_and_returns_the_code() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let (unshare, pid) = leader(dir.path());
    let held = Pidfd::open(pid).unwrap();
    let program = File::open("/bin/sh").unwrap();
    let said = dir.path().join("said");
    let links = "for n in user mnt pid net uts ipc; do readlink /proc/self/ns/$n; done";
    let script = format!(
        "(id -u; {links}; ls /proc/$$/fd | wc -l; env | grep -c HOME; pwd) > {}; exit 7",
        said.display()
    );
    let code = helper(words(&held, &program, &["sh", "-c", &script]), |_| {});
    let said = fs::read_to_string(&said).unwrap();
    assert_eq!(code, 7, "{said}");
    let mut expected = vec!["0".to_owned()];
    for name in ["user", "mnt", "pid", "net", "uts", "ipc"] {
        let link = fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap();
        expected.push(link.to_string_lossy().into_owned());
    }
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..7], expected, "{said}");
    assert_eq!(lines[8..], ["0", "/"], "{said}");
    // Signals go to the program, and its end by one is told as shells do.
    let sleep = File::open("/bin/sleep").unwrap();
    let code = helper(words(&held, &sleep, &["sleep", "60"]), |helper| {
        std::thread::sleep(Duration::from_millis(200));
        // SAFETY: our own child.
        unsafe { libc::kill(helper, libc::SIGTERM) };
    });
    assert_eq!(code, 128 + libc::SIGTERM);
    drop(unshare);
    held.wait(Duration::from_secs(5)).unwrap();
    assert_eq!(helper(words(&held, &sleep, &["sleep", "0"]), |_| {}), 250, "the leader is gone");
}

#[test]
fn words_are_checked() {
    for args in [&["--leader"][..], &["--leader", "9", "--"], &["--other", "3", "--", "x"], &[]] {
        let args = args.iter().map(OsString::from);
        assert!(matches!(main(args), Err(Error::Usage(_))));
    }
}
