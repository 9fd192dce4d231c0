//! Speaks to the agent in a VM: takes a free port, has the command run, passes its streams through.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

use super::PORTS;
use super::frames::{self, Kind, LONGEST};
use crate::host::exec::Request;
use crate::host::state::{self, State};
use crate::paths;
use crate::run::{Context, Failure, Outcome, Result, fail};

/// Runs a command with our own standard streams.
pub(crate) fn run(state: &State, request: &Request) -> Outcome {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let _raw = if terminal { Raw::set() } else { None };
    let mut port = Port::begin(state, request, terminal)?;
    let stream = port.stream.try_clone().context(|| "port".into())?;
    let token = port.token;
    // Not joined: it may wait for a person to type, and ends with the process.
    std::thread::spawn(move || feed(stream, token));
    let code = port.follow(|kind, bytes| {
        let _closed = match kind {
            Kind::Error => std::io::stderr().write_all(bytes),
            _ => std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()),
        };
    })?;
    Ok(ExitCode::from(code))
}

/// Runs a command without input and returns its output; fails unless it exits with 0, and where it is silent for longer than
/// `silence`: a VM that is booted again meanwhile has forgotten it.
pub(crate) fn read(state: &State, request: &Request, silence: Duration) -> Result<String> {
    let mut port = Port::begin(state, request, false)?;
    port.stream.set_read_timeout(Some(silence)).context(|| "port".into())?;
    frames::send(&mut port.stream, Kind::Input, port.token, &[]).context(|| "port".into())?;
    let (mut out, mut all) = (Vec::new(), Vec::new());
    let code = port.follow(|kind, bytes| {
        if kind == Kind::Output {
            out.extend_from_slice(bytes);
        }
        all.extend_from_slice(bytes);
    })?;
    if code == 0 {
        return Ok(String::from_utf8_lossy(&out).into_owned());
    }
    let all = String::from_utf8_lossy(&all);
    fail(format!("{}: exit code {code}\n{all}", request.words.join(" ")))
}

/// One of the ports, ours alone until dropped.
struct Port {
    stream: UnixStream,
    token: u32,
    _lock: File,
}

impl Port {
    fn begin(state: &State, request: &Request, terminal: bool) -> Result<Self> {
        let (mut stream, lock) = take(state)?;
        let token = std::process::id()
            ^ rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_nsec.unsigned_abs()
                as u32;
        let mut words = request.command();
        if terminal {
            let size = tcgetwinsize(std::io::stdin()).context(|| "terminal".into())?;
            let term = paths::variable("TERM").unwrap_or_else(|| "linux".into());
            words.splice(0..0, [size.ws_col.to_string(), size.ws_row.to_string(), term]);
        }
        let text = serde_json::to_vec(&words).context(|| "command".into())?;
        if text.len() > LONGEST {
            return fail("the command line is too long for a VM");
        }
        let kind = if terminal { Kind::RunTerminal } else { Kind::Run };
        frames::send(&mut stream, kind, token, &text).context(|| "port".into())?;
        watch(state.clone(), stream.try_clone().context(|| "port".into())?);
        Ok(Self { stream, token, _lock: lock })
    }

    /// Hands over what comes until the command ended; returns its code.
    fn follow(&mut self, mut each: impl FnMut(Kind, &[u8])) -> Result<u8> {
        loop {
            let frame = match frames::receive(&mut self.stream) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return fail("the VM does not answer");
                }
                frame => frame.context(|| "port".into())?,
            };
            let Some(frame) = frame else {
                return fail(
                    "the VM has gone, or its kernel has died (see 'console.log' of its disk)",
                );
            };
            match frame.kind {
                // Of one before us on this port.
                _ if frame.token != self.token => {}
                Kind::Exit => return Ok(frame.bytes.first().copied().unwrap_or(255)),
                kind => each(kind, &frame.bytes),
            }
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // Others hold the stream too, and QEMU takes nobody else before it is really over.
        let _gone = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Ends the conversation when the guest's kernel has died: nobody else would.
fn watch(state: State, stream: UnixStream) {
    // Not joined: it ends with the process, as commands of ours do soon after.
    std::thread::spawn(move || {
        while !super::panicked(&state) {
            std::thread::sleep(Duration::from_secs(2));
        }
        let _ended_meanwhile = stream.shutdown(std::net::Shutdown::Both);
    });
}

/// Takes the first free port, and waits where all are taken.
fn take(state: &State) -> Result<(UnixStream, File)> {
    let folder = state::folder(&state.name);
    for _ in 0..3000 {
        for number in 0..PORTS {
            let path = folder.join(format!("port-{number}"));
            let lock = File::create(folder.join(format!("port-{number}.lock")))
                .context(|| path.display().to_string())?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let stream = UnixStream::connect(&path).context(|| path.display().to_string())?;
                return Ok((stream, lock));
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    fail("all ports of the VM are taken")
}

fn feed(mut to: UnixStream, token: u32) {
    let mut buffer = vec![0; LONGEST];
    loop {
        let count = std::io::stdin().read(&mut buffer).unwrap_or(0);
        if frames::send(&mut to, Kind::Input, token, &buffer[..count]).is_err() || count == 0 {
            return;
        }
    }
}

/// Our terminal in raw mode until dropped.
struct Raw(rustix::termios::Termios);

impl Raw {
    fn set() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Whether the agent answers; does not wait for it longer than `long`.
pub(crate) fn answers(state: &State, long: Duration) -> std::result::Result<(), Failure> {
    let mut port = Port::begin(state, &Request::root(["true"]), false)?;
    port.stream.set_read_timeout(Some(long)).context(|| "port".into())?;
    port.follow(|_, _| {}).map(drop)
}
