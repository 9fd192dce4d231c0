//! The one place that runs programs.
//!
//! Owns: the environment a program gets (cleared to a small safe set), its time limit, what is kept of its
//! output, and that it dies with whoever started it. Knows nothing of what the programs do. Everything here
//! blocks the calling thread.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec can only be said through pre_exec"
)]

mod child;
mod filter;
mod packages;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

pub use child::Child;
pub use packages::package_of;

/// Where programs are looked for, whatever the caller's own `PATH` says.
pub const SAFE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much of the end of a program's stderr an error keeps, in bytes.
pub const STDERR_TAIL: usize = 4096;

/// How much of a program's stdout is kept unless `stdout_limit` says otherwise, in bytes.
const STDOUT_LIMIT: usize = 64 << 20;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not installed.
    #[error("{program} is not installed{}", package.map(|p| format!(" (Debian package {p})")).unwrap_or_default())]
    Missing {
        /// The program's name as it was asked for.
        program: String,
        /// The Debian package that holds it, where known.
        package: Option<&'static str>,
    },
    /// It ran and ended with something else than 0.
    #[error("{program} failed ({status}){}", tail(stderr))]
    Failed {
        /// The program's name.
        program: String,
        /// How it ended.
        status: Status,
        /// The last lines it wrote to stderr, at most `STDERR_TAIL` bytes.
        stderr: String,
    },
    /// It could not be started or talked to.
    #[error("cannot run {program}")]
    Io {
        /// The program's name.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// It was killed because nobody wanted it any more.
    #[error("{program} was broken off")]
    Cancelled {
        /// The program's name.
        program: String,
    },
    /// It was killed because its time was up.
    #[error("{program} did not end within {}s and was killed", limit.as_secs_f32())]
    TimedOut {
        /// The program's name.
        program: String,
        /// The time it was given.
        limit: Duration,
    },
}

fn tail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

impl Status {
    /// Whether it exited with 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// The exit code a shell would show: 128 + N for a signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        }
    }
}

impl From<std::process::ExitStatus> for Status {
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            // waitpid reports stops and continues only when asked to, and nobody asks.
            (None, None) => Self::Code(-1),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
        }
    }
}

/// What a program that ended left behind.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// All it wrote to stdout.
    pub stdout: Vec<u8>,
    /// The end of what it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Stdout as text; bytes that are no UTF-8 become replacement characters.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A line that a streaming program wrote, without its line end.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// From stdout.
    Out(&'a [u8]),
    /// From stderr.
    Err(&'a [u8]),
}

/// What a stream of a spawned program is connected to.
#[derive(Debug, Default)]
pub enum Stream {
    /// `/dev/null`.
    #[default]
    Null,
    /// A pipe whose other end the `Child` holds.
    Pipe,
    /// This descriptor.
    Fd(OwnedFd),
    /// Whatever the calling process has there.
    Inherit,
}

impl Stream {
    fn stdio(self) -> Stdio {
        match self {
            Self::Null => Stdio::null(),
            Self::Pipe => Stdio::piped(),
            Self::Fd(fd) => fd.into(),
            Self::Inherit => Stdio::inherit(),
        }
    }
}

/// A program about to be run. Built up with the methods below, ended by `run`, `output`, `stream` or `spawn`.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: Option<PathBuf>,
    input: Option<Vec<u8>>,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
    time_limit: Option<Duration>,
    stdout_limit: usize,
    ids: Option<(u32, u32)>,
    new_session: bool,
    controlling_terminal: bool,
    without_statx: bool,
    outlives_parent: bool,
    inherited: Vec<OwnedFd>,
}

impl Command {
    /// A program by name (looked for in `SAFE_PATH`) or by path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: vec![("PATH".into(), SAFE_PATH.into()), ("LANG".into(), "C.UTF-8".into())],
            cwd: None,
            input: None,
            stdin: Stream::Null,
            stdout: Stream::Null,
            stderr: Stream::Null,
            time_limit: None,
            stdout_limit: STDOUT_LIMIT,
            ids: None,
            new_session: false,
            controlling_terminal: false,
            without_statx: false,
            outlives_parent: false,
            inherited: Vec::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets a variable on top of the safe set; a later one of the same name wins.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The folder to run in; `/` where none is given, so that no folder of the caller is kept busy.
    #[must_use]
    pub fn cwd(mut self, path: impl AsRef<Path>) -> Self {
        self.cwd = Some(path.as_ref().to_owned());
        self
    }

    /// Bytes written to its stdin (`run`, `output`, `stream` only).
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// What its stdin is connected to.
    #[must_use]
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = stream;
        self
    }

    /// What the stdout of a spawned program is connected to.
    #[must_use]
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = stream;
        self
    }

    /// What the stderr of a spawned program is connected to.
    #[must_use]
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = stream;
        self
    }

    /// Kills the program after this time (`run`, `output`, `stream` only).
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// The most that is kept of its stdout, in bytes; a program that writes more is an error.
    #[must_use]
    pub fn stdout_limit(mut self, bytes: usize) -> Self {
        self.stdout_limit = bytes;
        self
    }

    /// Runs it as this user and group, without supplementary groups.
    #[must_use]
    pub fn ids(mut self, uid: u32, gid: u32) -> Self {
        self.ids = Some((uid, gid));
        self
    }

    /// Runs it in a session of its own, without a controlling terminal.
    #[must_use]
    pub fn new_session(mut self) -> Self {
        self.new_session = true;
        self
    }

    /// Runs it in a session of its own whose controlling terminal is its stdin, which has to be one.
    #[must_use]
    pub fn controlling_terminal(mut self) -> Self {
        self.new_session = true;
        self.controlling_terminal = true;
        self
    }

    /// Hides `statx(2)` from it and all it starts: programs then use older calls, which proot 5.1 translates and statx it
    /// doesn't. None of them can gain privileges any more.
    #[must_use]
    pub fn without_statx(mut self) -> Self {
        self.without_statx = true;
        self
    }

    /// Lets it live on when the thread that starts it ends.
    ///
    /// Without this the kernel kills the program with the THREAD that started it, so it is needed as well
    /// for a `Child` that is handed to another thread.
    #[must_use]
    pub fn outlives_parent(mut self) -> Self {
        self.outlives_parent = true;
        self
    }

    /// Lets the program have this descriptor under the number it has here (see `AsRawFd`).
    #[must_use]
    pub fn inherit(mut self, fd: OwnedFd) -> Self {
        self.inherited.push(fd);
        self
    }

    /// Runs it to its end; anything but exit status 0 is an error. Stdout is dropped.
    pub fn run(self) -> Result<(), Error> {
        let program = self.name();
        let output = child::collect(self, child::Keep::Nothing, &|| true)?;
        require_success(program, output).map(drop)
    }

    /// Runs it to its end and keeps stdout; anything but exit status 0 is an error.
    pub fn output(self) -> Result<Output, Error> {
        let program = self.name();
        let output = child::collect(self, child::Keep::Stdout, &|| true)?;
        require_success(program, output)
    }

    /// Runs it to its end and keeps stdout, however it ended.
    pub fn output_any_status(self) -> Result<Output, Error> {
        child::collect(self, child::Keep::Stdout, &|| true)
    }

    /// Runs it to its end and hands over each line as it comes; anything but exit status 0 is an error.
    ///
    /// A carriage return ends a line too, since that is how programs redraw their progress.
    pub fn stream(self, mut each: impl FnMut(Line<'_>)) -> Result<(), Error> {
        self.stream_while(&|| true, &mut each)
    }

    /// The same while `wanted` says so, which is asked a few times a second. Then the program is killed, and so is what it started
    /// where it takes that with it: until nothing holds its output any more that is waited for, for a while.
    pub fn stream_while(
        self,
        wanted: &dyn Fn() -> bool,
        each: &mut dyn FnMut(Line<'_>),
    ) -> Result<(), Error> {
        let program = self.name();
        let output = child::collect(self, child::Keep::Lines(each), wanted)?;
        require_success(program, output).map(drop)
    }

    /// Starts it and returns at once. Dropping the `Child` kills the program.
    pub fn spawn(mut self) -> Result<Child, Error> {
        let program = self.name();
        let streams = [
            std::mem::take(&mut self.stdin),
            std::mem::take(&mut self.stdout),
            std::mem::take(&mut self.stderr),
        ];
        Ok(Child::new(program, self.start(streams)?))
    }

    fn name(&self) -> String {
        Path::new(&self.program).file_name().unwrap_or(&self.program).to_string_lossy().into_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place with the policy")]
    fn start(&self, streams: [Stream; 3]) -> Result<std::process::Child, Error> {
        let [stdin, stdout, stderr] = streams;
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.cwd.as_deref().unwrap_or(Path::new("/")))
            .stdin(stdin.stdio())
            .stdout(stdout.stdio())
            .stderr(stderr.stdio());
        if let Some((uid, gid)) = self.ids {
            // std drops the supplementary groups when root gives a uid.
            command.uid(uid).gid(gid);
        }
        let before_exec = BeforeExec {
            fds: self.inherited.iter().map(AsRawFd::as_raw_fd).collect(),
            new_session: self.new_session,
            controlling_terminal: self.controlling_terminal,
            filter: self.without_statx.then(|| filter::Filter::without(libc::SYS_statx)),
            parent: (!self.outlives_parent).then(std::process::id),
        };
        // SAFETY: `BeforeExec::run` makes plain system calls only; it neither allocates nor takes locks.
        unsafe { command.pre_exec(move || before_exec.run()) };
        command.spawn().map_err(|source| self.start_error(source))
    }

    fn start_error(&self, source: io::Error) -> Error {
        let program = self.name();
        let folder_exists = self.cwd.as_ref().is_none_or(|cwd| cwd.is_dir());
        if source.kind() == io::ErrorKind::NotFound && folder_exists {
            return Error::Missing { package: package_of(&program), program };
        }
        Error::Io { program, source }
    }
}

fn require_success(program: String, output: Output) -> Result<Output, Error> {
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed { program, status: output.status, stderr: output.stderr })
}

/// What the child does between fork and exec.
struct BeforeExec {
    fds: Vec<RawFd>,
    new_session: bool,
    controlling_terminal: bool,
    filter: Option<filter::Filter>,
    parent: Option<u32>,
}

impl BeforeExec {
    fn run(&self) -> io::Result<()> {
        // What the caller keeps from itself (to read signals from a descriptor) is not the program's affair.
        // SAFETY: the set is initialised by sigemptyset before it is read.
        unsafe {
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            if libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        if self.new_session {
            rustix::process::setsid()?;
        }
        if self.controlling_terminal {
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        }
        for fd in &self.fds {
            // SAFETY: the parent holds these descriptors open until spawn has returned.
            if unsafe { libc::fcntl(*fd, libc::F_SETFD, 0) } == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        if let Some(filter) = &self.filter {
            filter.load()?;
        }
        if let Some(parent) = self.parent {
            let kill = rustix::process::Signal::KILL;
            rustix::process::set_parent_process_death_signal(Some(kill))?;
            // The parent may have died before the line above; then nobody would ever send the signal.
            // A parent in another pid namespace reads as 0 (None) and cannot be compared.
            let now =
                rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
            if now.is_some_and(|now| now != parent) {
                return Err(io::Error::from_raw_os_error(libc::ECHILD));
            }
        }
        Ok(())
    }
}
