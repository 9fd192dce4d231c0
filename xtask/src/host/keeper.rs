//! The process that keeps a host: starts its PID 1 in fresh namespaces, starts it again when the
//! host rebooted, and takes away what is left when it ended. Killed, it takes the host with it:
//! every process of the chain dies with the one before it.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::cgroup;
use super::state::{Process, State};
use crate::run::{Context, Outcome, Result, fail, program};

/// What the host is made of; on the keeper's command line, to be seen in `ps`.
const WORDS: &str = "NAME TREE DISK MIRRORS IMAGES";

/// Starts the keeper of a host whose state is written already. It shares the lock of the host's name until it has written down
/// who it is: whoever takes the host away, after a kill of the one who brought it up, finds all of it or waits.
pub(crate) fn start(words: &[String], lock: &fs::File) -> Result<Child> {
    let log = super::state::folder(&words[0]).join("keeper.log");
    let log = fs::File::create(&log).context(|| log.display().to_string())?;
    let mut keeper = program("/proc/self/exe").arg("host-keeper").args(words);
    let again = log.try_clone().context(|| "keeper.log".into())?;
    let lock = lock.try_clone().context(|| "lock".into())?;
    keeper.command().stdin(lock).stdout(log).stderr(again);
    keeper.spawn()
}

/// Runs as `xtask host-keeper NAME TREE DISK MIRRORS IMAGES`.
pub(crate) fn task(words: &[String]) -> Outcome {
    let Some(name) = words.first() else { return fail(format!("usage: host-keeper {WORDS}")) };
    // A session of its own: neither the terminal nor the one who typed `up` ends it.
    rustix::process::setsid().context(|| "setsid".into())?;
    loop {
        let begun = begin(name, words).and_then(|child| release_lock().map(|()| child));
        let mut child = match begun {
            Ok(child) => child,
            Err(failure) => {
                cgroup::leave().and_then(|()| cgroup::remove(name))?;
                return Err(failure);
            }
        };
        let ended = child.wait().context(|| "waiting for the host".into())?;
        eprintln!("PID 1 of {name}: {ended}");
        // In a process namespace of its own, reboot(2) ends PID 1 by SIGHUP and poweroff by SIGINT.
        // `unshare` ends the same way, or, where it can't, with 128 and the signal.
        let rebooted = ended.signal() == Some(1) || ended.code() == Some(129);
        if !rebooted {
            cgroup::leave()?;
            cgroup::remove(name)?;
            return Ok(ExitCode::SUCCESS);
        }
        cgroup::remove_part(name, "host")?;
    }
}

/// Closes what [`start`] gave as standard input.
pub(crate) fn release_lock() -> Result<()> {
    let trouble = || "/dev/null".to_owned();
    let null = fs::File::open("/dev/null").context(trouble)?;
    rustix::stdio::dup2_stdin(null).context(trouble)
}

/// Starts PID 1 and writes down who it is.
fn begin(name: &str, words: &[String]) -> Result<Child> {
    let folder = cgroup::make(name)?;
    let mut unshare = program("/proc/self/exe").arg("host-unshare").arg(folder.join("host"));
    unshare = unshare.args(words);
    unshare.command().stdin(Stdio::piped());
    let mut child = unshare.spawn()?;
    let outside = i32::try_from(child.id()).context(|| "pid".into())?;
    let leader = first_child(outside)?;
    // Where there are controllers, a cgroup with groups below it may hold no process: ours must be
    // out before systemd makes its groups.
    cgroup::enter(&folder.join("keeper"), outside)?;
    cgroup::enter(&folder.join("keeper"), 0)?;
    let Some(mut state) = State::load(name) else { return fail(format!("{name} has no state")) };
    state.leader = leader;
    let own = i32::try_from(std::process::id()).context(|| "pid".into())?;
    state.keeper = Process::of(own).unwrap_or_default();
    state.cgroup = Some(folder);
    state.boots += 1;
    state.save()?;
    let mut word = child.stdin.take();
    match word.as_mut().map(|pipe| pipe.write_all(b"go\n")) {
        Some(Ok(())) => Ok(child),
        _ => fail("the host's first process is gone"),
    }
}

/// Waits for the process that `unshare` forks into the new namespaces.
fn first_child(outside: i32) -> Result<Process> {
    let end = Instant::now() + Duration::from_secs(10);
    let list = format!("/proc/{outside}/task/{outside}/children");
    while Instant::now() < end {
        let Ok(children) = fs::read_to_string(&list) else { break };
        let pid = children.split_whitespace().next().and_then(|word| word.parse().ok());
        if let Some(process) = pid.and_then(Process::of) {
            return Ok(process);
        }
        sleep(Duration::from_millis(1));
    }
    fail("the namespaces could not be made")
}

/// Runs as `xtask host-unshare CGROUP NAME …`: enters the host's cgroup and becomes `unshare`.
pub(crate) fn unshare(words: &[String]) -> Outcome {
    let Some((folder, rest)) = words.split_first() else { return fail("for internal use") };
    // First of all, so that there is no moment in which the keeper's death goes unnoticed.
    set_parent_process_death_signal(Some(Signal::KILL)).context(|| "prctl".into())?;
    cgroup::enter(Path::new(folder), 0)?;
    let spaces = ["--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup"];
    let begun = program("unshare").args(spaces).args(["--fork", "--kill-child", "--"]);
    // By a descriptor, not by a path: the file may have been replaced by a newer build meanwhile.
    let own = fs::File::open("/proc/self/exe").context(|| "/proc/self/exe".into())?;
    rustix::io::fcntl_setfd(&own, rustix::io::FdFlags::empty()).context(|| "fcntl".into())?;
    let path = format!("/proc/self/fd/{}", own.as_raw_fd());
    Err(begun.arg(path).arg("host-init").args(rest).exec())
}
