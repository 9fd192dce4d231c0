//! Starting the program, with what each mode gives it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use volt_host::cgroup::Cgroup;
use volt_host::command::{Child, Command, Error, Stream};
use volt_host::join::JoinRequest;

use crate::control::Control;
use crate::notify::{Listener, Notify};
use crate::options::{Join, Mode, Options};
use crate::record::Failure;

/// What systemd says to the unit's main process only.
const NOT_FOR_THE_PROGRAM: [&str; 8] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "JOURNAL_STREAM",
    "MANAGERPID",
];

/// The process's environment, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// The unit's notify socket.
    pub(crate) notify: Notify,
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Parts what is for the program from what is for the relay.
    pub(crate) fn split(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        for (name, value) in variables {
            if name == "NOTIFY_SOCKET" {
                found.notify = Notify::new(&value);
            }
            if !NOT_FOR_THE_PROGRAM.iter().any(|other| name == *other) {
                found.variables.push((name, value));
            }
        }
        found
    }
}

/// Where a workload is read from and written to.
#[derive(Debug)]
pub(crate) enum Io {
    /// A terminal's master.
    Terminal(OwnedFd),
    /// Pipes.
    Pipes {
        /// Its standard input, where it is kept open.
        stdin: Option<OwnedFd>,
        /// Its standard output.
        stdout: OwnedFd,
        /// Its standard error.
        stderr: OwnedFd,
    },
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) child: Child,
    /// Readable when it has ended.
    pub(crate) pidfd: OwnedFd,
    /// App mode: init's control socket.
    pub(crate) control: Option<Control>,
    /// What it says about itself, where that is not the workload's output.
    pub(crate) words: Option<OwnedFd>,
    /// Boot mode: where it says that it is ready.
    pub(crate) notify: Option<Listener>,
    /// The workload's output and input, where the program is given them from here.
    pub(crate) io: Option<Io>,
}

/// Starts the program.
pub(crate) fn start(options: &Options, environment: &Environment) -> Result<Program, Failure> {
    let (first, args) = options.program.split_first().expect("the options have a program");
    let command = match &options.join {
        Some(join) => joining(join, &options.program)?,
        None => environment
            .variables
            .iter()
            .fold(Command::new(first).args(args), |command, (name, value)| {
                command.env(name, value)
            }),
    };
    let command = if options.traced { command.without_statx() } else { command };
    match options.mode {
        Mode::App | Mode::Exec => app(command),
        Mode::Boot => boot(command, options),
    }
}

/// The command that joins a running workload and executes the program there, at the end of which init is told its spec.
fn joining(join: &Join, program: &[OsString]) -> Result<Command, Failure> {
    let open = |path: &Path| File::open(path).map(OwnedFd::from).map_err(|error| internal(&error));
    let gone = || internal(&io::Error::new(io::ErrorKind::NotFound, "it is not running any more"));
    let leader = join.leader.hold().map_err(|error| internal(&error))?.ok_or_else(gone)?;
    // Opened anew, so that it is read from its beginning and has an owner here.
    let spec = open(Path::new(&format!("/proc/self/fd/{}", join.spec)))?;
    let last = ["exec".into(), spec.as_raw_fd().to_string().into()];
    let argv: Vec<OsString> = program.iter().cloned().chain(last).collect();
    let payload = cgroup_of(join.leader.pid).map_err(|error| internal(&error))?;
    // Alive after its cgroup was asked for, it was its own.
    if !join.leader.is_alive() {
        return Err(gone());
    }
    if let Some(unit) = payload.parent() {
        // This process belongs to the container, not to the daemon that started it: it goes when that goes.
        drop(Cgroup::at(unit.join("supervisor")).add_process(0));
    }
    let request = JoinRequest {
        leader: leader.into(),
        // Where the workload's own limits hold, and where it is frozen with the rest.
        cgroup: Some(payload),
        program: open(Path::new(&argv[0]))?,
        argv,
        keep: vec![spec],
    };
    Ok(request.command(Command::new("/proc/self/exe").args(["internal", "join"])))
}

/// The folder of a process's cgroup.
fn cgroup_of(pid: u32) -> io::Result<PathBuf> {
    let path = volt_host::process::cgroup(pid)?.ok_or(io::ErrorKind::NotFound)?;
    let group = Cgroup::of_unit(&path.to_string_lossy()).map_err(io::Error::other)?;
    Ok(group.path().to_owned())
}

fn app(command: Command) -> Result<Program, Failure> {
    let (control, theirs) = Control::pair().map_err(|error| internal(&error))?;
    let (words, end) = pipe()?;
    let other_end = end.try_clone().map_err(|error| internal(&error))?;
    let command =
        command.stdin(Stream::Fd(theirs)).stdout(Stream::Fd(end)).stderr(Stream::Fd(other_end));
    Ok(Program { control: Some(control), words: Some(words), ..spawn(command)? })
}

fn boot(command: Command, options: &Options) -> Result<Program, Failure> {
    let run_dir = options.run_dir.as_ref().expect("boot mode has a run folder");
    let listener = Listener::new(run_dir).map_err(|error| internal(&error))?;
    let (master, slave) = terminal().map_err(|error| internal(&error))?;
    let (words, end) = pipe()?;
    let other = slave.try_clone().map_err(|error| internal(&error))?;
    let command = command
        .env("NOTIFY_SOCKET", listener.path())
        .stdin(Stream::Fd(slave))
        .stdout(Stream::Fd(other))
        .stderr(Stream::Fd(end));
    let io = Some(Io::Terminal(master));
    Ok(Program { words: Some(words), notify: Some(listener), io, ..spawn(command)? })
}

fn spawn(command: Command) -> Result<Program, Failure> {
    let child = command.spawn().map_err(|error| not_executed(&error))?;
    let pidfd = child.pidfd().map_err(|error| not_executed(&error))?;
    Ok(Program { child, pidfd, control: None, words: None, notify: None, io: None })
}

fn not_executed(error: &Error) -> Failure {
    let code = if matches!(error, Error::Missing { .. }) { 127 } else { 126 };
    let message = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Failure { code, message }
}

pub(crate) fn internal(error: &io::Error) -> Failure {
    Failure { code: crate::INTERNAL, message: format!("cannot prepare the workload: {error}") }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| internal(&error.into()))
}

fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&master)?;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    // Until a client says better: a terminal of no size makes programs guess.
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size)?;
    Ok((master, slave))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_does_not_get_what_is_for_the_relay() {
        let variables = ["A", "NOTIFY_SOCKET", "SYSTEMD_SECCOMP", "LISTEN_FDS", "WATCHDOG_USEC"];
        let environment = Environment::split(variables.map(|name| (name.into(), "/x".into())));
        let names: Vec<_> = environment.variables.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["A", "SYSTEMD_SECCOMP"]);
    }
}
