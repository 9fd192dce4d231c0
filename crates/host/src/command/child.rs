//! Waiting for a program: its output, its end, its time limit.

use super::{Command, Error, Line, Output, STDERR_TAIL, Status, Stream};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// A line longer than this is handed over in pieces, in bytes.
const LINE_LIMIT: usize = 64 << 10;

/// How often is asked whether a program is still wanted.
const WANTED: Duration = Duration::from_millis(200);
/// How long the end of what a killed program had started is waited for.
const LETTING_GO: Duration = Duration::from_secs(5);

/// A program that runs. Dropping it kills the program and waits for it.
#[derive(Debug)]
pub struct Child {
    program: String,
    inner: std::process::Child,
    ended: Option<Status>,
}

impl Child {
    pub(super) fn new(program: String, inner: std::process::Child) -> Self {
        Self { program, inner, ended: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// The other end of its stdin, once, where a pipe was asked for.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.inner.stdin.take()
    }

    /// The other end of its stdout, once, where a pipe was asked for.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.inner.stdout.take()
    }

    /// The other end of its stderr, once, where a pipe was asked for.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.inner.stderr.take()
    }

    /// A descriptor that becomes readable when the program ends.
    pub fn pidfd(&self) -> Result<OwnedFd, Error> {
        open_pidfd(&self.inner).map_err(|source| self.io(source))
    }

    /// Sends a signal; no error when it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.ended.is_some() {
            return Ok(());
        }
        let sent = open_pidfd(&self.inner)
            .and_then(|fd| pidfd_send_signal(fd, signal).map_err(io::Error::from));
        match sent {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(self.io(error)),
            _ => Ok(()),
        }
    }

    /// How it ended, where it has.
    pub fn try_wait(&mut self) -> Result<Option<Status>, Error> {
        if self.ended.is_none() {
            self.ended = self.inner.try_wait().map_err(|source| self.io(source))?.map(Status::from);
        }
        Ok(self.ended)
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Result<Status, Error> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        let status = self.inner.wait().map_err(|source| self.io(source))?.into();
        self.ended = Some(status);
        Ok(status)
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) -> Result<Status, Error> {
        if self.ended.is_none() {
            self.inner.kill().map_err(|source| self.io(source))?;
        }
        self.wait()
    }

    /// Lets it go: it is neither killed nor waited for. Its process id.
    pub fn leave(mut self) -> u32 {
        let id = self.id();
        self.ended = Some(Status::Code(0));
        id
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { program: self.program.clone(), source }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = if self.ended.is_none() { self.kill().map(drop) } else { Ok(()) } {
            tracing::debug!(program = self.program, %error, "could not kill a program");
        }
    }
}

fn open_pidfd(child: &std::process::Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(Pid::from_child(child), PidfdFlags::empty())?)
}

/// What becomes of a program's stdout.
pub(super) enum Keep<'a> {
    Nothing,
    Stdout,
    Lines(&'a mut dyn FnMut(Line<'_>)),
}

/// Runs a program to its end.
pub(super) fn collect(
    mut command: Command,
    keep: Keep<'_>,
    wanted: &(dyn Fn() -> bool + '_),
) -> Result<Output, Error> {
    let program = command.name();
    let io = |source| Error::Io { program: program.clone(), source };
    let input = command.input.take();
    let stdin = if input.is_some() { Stream::Pipe } else { std::mem::take(&mut command.stdin) };
    let stdout = if matches!(keep, Keep::Nothing) { Stream::Null } else { Stream::Pipe };
    let mut child = Child::new(program.clone(), command.start([stdin, stdout, Stream::Pipe])?);
    let mut pump = Pump {
        pidfd: child.pidfd()?,
        stdin: child.take_stdin().zip(input.map(|bytes| (bytes, 0))),
        stdout: child.take_stdout(),
        stderr: child.take_stderr(),
        wanted,
        kept: Kept { keep, limit: command.stdout_limit, stdout: Vec::new(), stderr: Vec::new() },
    };
    pump.prepare().map_err(io)?;
    let deadline = command.time_limit.map(|limit| (Instant::now() + limit, limit));
    let ended = pump.run(deadline.map(|(end, _)| end)).map_err(io)?;
    if ended == Ended::Unwanted {
        child.kill()?;
        pump.let_go().map_err(io)?;
        return Err(Error::Cancelled { program });
    }
    if let (Ended::Late, Some((_, limit))) = (ended, deadline) {
        child.kill()?;
        return Err(Error::TimedOut { program, limit });
    }
    let status = child.wait()?;
    Ok(pump.kept.finish(status))
}

/// Why there is nothing more to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The program has ended.
    Itself,
    /// Its time was up.
    Late,
    /// Nobody wants it any more.
    Unwanted,
}

/// Moves bytes between a program and us until it ends.
struct Pump<'a, 'k> {
    pidfd: OwnedFd,
    stdin: Option<(ChildStdin, (Vec<u8>, usize))>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    wanted: &'a (dyn Fn() -> bool + 'a),
    kept: Kept<'k>,
}

impl Pump<'_, '_> {
    fn prepare(&self) -> io::Result<()> {
        if let Some((stdin, _)) = &self.stdin {
            nonblocking(stdin)?;
        }
        if let Some(stdout) = &self.stdout {
            nonblocking(stdout)?;
        }
        if let Some(stderr) = &self.stderr {
            nonblocking(stderr)?;
        }
        Ok(())
    }

    fn run(&mut self, deadline: Option<Instant>) -> io::Result<Ended> {
        loop {
            if !(self.wanted)() {
                return Ok(Ended::Unwanted);
            }
            let tick = Instant::now() + WANTED;
            let Some(ended) = self.wait(Some(deadline.map_or(tick, |end| end.min(tick))))? else {
                if deadline.is_some_and(|end| end <= Instant::now()) {
                    return Ok(Ended::Late);
                }
                continue;
            };
            self.feed()?;
            self.drain()?;
            // A grandchild may hold the pipes for ever: what the program itself wrote is read by now.
            if ended {
                return Ok(Ended::Itself);
            }
        }
    }

    /// Waits until what a program that was killed had started is gone too: it holds the other ends.
    fn let_go(&mut self) -> io::Result<()> {
        let end = Instant::now() + LETTING_GO;
        while (self.stdout.is_some() || self.stderr.is_some()) && Instant::now() < end {
            self.drain()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits for something to do: whether the program has ended, or nothing when time is up.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<Option<bool>> {
        let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        fds.extend(self.stdin.as_ref().map(|(fd, _)| PollFd::new(fd, PollFlags::OUT)));
        fds.extend(self.stdout.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(self.stderr.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            let time = left.map(|left| rustix::event::Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: left.subsec_nanos().into(),
            });
            match poll(&mut fds, time.as_ref()) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(Some(!fds[0].revents().is_empty())),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn feed(&mut self) -> io::Result<()> {
        let Some((stdin, (bytes, at))) = &mut self.stdin else { return Ok(()) };
        while *at < bytes.len() {
            match stdin.write(&bytes[*at..]) {
                Ok(written) => *at += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It does not want the rest; its exit status says whether that is bad.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Err(error),
            }
        }
        self.stdin = None;
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        let kept = &mut self.kept;
        if let Some(pipe) = &mut self.stdout
            && read_all(pipe, |bytes| kept.stdout(bytes))?
        {
            self.stdout = None;
        }
        if let Some(pipe) = &mut self.stderr
            && read_all(pipe, |bytes| {
                kept.stderr(bytes);
                Ok(())
            })?
        {
            self.stderr = None;
        }
        Ok(())
    }
}

fn nonblocking(fd: impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?)
}

/// Reads what there is; true at the end of the stream.
fn read_all(
    pipe: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(size) => each(&buffer[..size])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is kept of a program's output.
struct Kept<'a> {
    keep: Keep<'a>,
    limit: usize,
    stdout: Vec<u8>,
    /// In line mode the unfinished line is a part of this tail, so the tail always ends with it.
    stderr: Vec<u8>,
}

impl Kept<'_> {
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.keep {
            Keep::Nothing => {}
            Keep::Stdout if self.stdout.len() + bytes.len() > self.limit => {
                return Err(io::Error::other(format!("it wrote more than {} bytes", self.limit)));
            }
            Keep::Stdout => self.stdout.extend_from_slice(bytes),
            Keep::Lines(each) => {
                self.stdout.extend_from_slice(bytes);
                split_lines(&mut self.stdout, |line| each(Line::Out(line)));
            }
        }
        Ok(())
    }

    fn stderr(&mut self, bytes: &[u8]) {
        if let Keep::Lines(each) = &mut self.keep {
            // Lines of stderr are handed over as they are complete within one read; the tail keeps all.
            for line in bytes.split(|b| matches!(b, b'\n' | b'\r')).filter(|l| !l.is_empty()) {
                each(Line::Err(line));
            }
        }
        self.stderr.extend_from_slice(bytes);
        let over = self.stderr.len().saturating_sub(STDERR_TAIL);
        self.stderr.drain(..over);
    }

    fn finish(mut self, status: Status) -> Output {
        if let Keep::Lines(each) = &mut self.keep
            && !self.stdout.is_empty()
        {
            each(Line::Out(&self.stdout));
            self.stdout.clear();
        }
        let stderr = String::from_utf8_lossy(&self.stderr).trim().to_owned();
        Output { status, stdout: self.stdout, stderr }
    }
}

/// Hands over the complete lines at the start of the buffer and leaves the rest in it.
fn split_lines(buffer: &mut Vec<u8>, mut each: impl FnMut(&[u8])) {
    let mut from = 0;
    while let Some(at) = buffer[from..].iter().position(|b| matches!(b, b'\n' | b'\r')) {
        if at > 0 {
            each(&buffer[from..from + at]);
        }
        from += at + 1;
    }
    if buffer.len() - from > LINE_LIMIT {
        each(&buffer[from..]);
        from = buffer.len();
    }
    buffer.drain(..from);
}
