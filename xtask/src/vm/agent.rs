//! The agent in a VM: runs commands for `host exec`, one at a time on each virtio port. It is the
//! xtask binary itself, started in the guest by `xtask-agent.service`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::frames::{self, Kind, LONGEST};
use crate::host::exec::PATH;
use crate::run::{Context, Outcome, Program, Result, fail, program};

/// How long more output is waited for from what a command left running.
const LINGER: Duration = Duration::from_millis(200);
/// How often a port that has no client is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How often in a row it must have had none before its client is believed to have left.
const LOOKS: u32 = 50;

/// Runs as `xtask vm-agent` in the guest.
pub(crate) fn task(_words: &[String]) -> Outcome {
    let ports = ports();
    if ports.is_empty() {
        return fail("there is no virtio port named xtask.N");
    }
    let threads: Vec<_> =
        ports.into_iter().map(|port| thread::spawn(move || serve(&port))).collect();
    for thread in threads {
        let _ended = thread.join();
    }
    Ok(ExitCode::FAILURE)
}

/// Our ports, found by their names: there may be no udev to make links.
fn ports() -> Vec<PathBuf> {
    let entries = fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten();
    let ours = entries.filter(|entry| {
        let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        name.starts_with("xtask.")
    });
    ours.map(|entry| PathBuf::from("/dev").join(entry.file_name())).collect()
}

/// Serves one client after another. The port stays open throughout: what the next client has sent
/// by the time the last one's end is noticed would be lost with a close.
fn serve(port: &PathBuf) {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(port) else { return };
    let Ok(writer) = file.try_clone() else { return };
    let writer = Arc::new(Mutex::new(writer));
    loop {
        if let Err(failure) = session(&mut Patient(&file), &writer) {
            eprintln!("{}: {failure}", port.display());
        }
    }
}

/// A port that is read patiently. Without a client it reads as ended at once, and asking now and then is all there is; but the
/// kernel also says so of a client that has left when the next one is there and has sent its first bytes.
struct Patient<'a>(&'a File);

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for _ in 0..LOOKS {
            let count = self.0.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            thread::sleep(LOOK);
        }
        Ok(0)
    }
}

/// A command that runs.
struct Running {
    token: u32,
    group: Option<Pid>,
    input: Option<Box<dyn Write + Send>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Serves one client until it leaves; then what it ran is killed.
fn session(reader: &mut Patient<'_>, writer: &Arc<Mutex<File>>) -> Result<()> {
    let trouble = || "virtio port".to_owned();
    let mut running: Option<Running> = None;
    while let Some(frame) = frames::receive(reader).context(trouble)? {
        match frame.kind {
            Kind::Run | Kind::RunTerminal => {
                drop(running.take());
                let words: Vec<String> = serde_json::from_slice(&frame.bytes).context(trouble)?;
                let terminal = frame.kind == Kind::RunTerminal;
                match start(&words, terminal, frame.token, writer) {
                    Ok(begun) => running = Some(begun),
                    Err(failure) => refuse(writer, frame.token, &failure.0),
                }
            }
            Kind::Input => {
                let Some(running) = running.as_mut().filter(|r| r.token == frame.token) else {
                    continue;
                };
                if frame.bytes.is_empty() {
                    running.input = None;
                } else if let Some(input) = &mut running.input {
                    let _closed = input.write_all(&frame.bytes).and_then(|()| input.flush());
                }
            }
            _ => return fail("the client is out of step"),
        }
    }
    Ok(())
}

fn refuse(writer: &Mutex<File>, token: u32, text: &str) {
    let mut port = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!("{text}\n");
    let _gone = frames::send(&mut *port, Kind::Error, token, text.as_bytes())
        .and_then(|()| frames::send(&mut *port, Kind::Exit, token, &[127]));
}

fn start(
    words: &[String],
    terminal: bool,
    token: u32,
    writer: &Arc<Mutex<File>>,
) -> Result<Running> {
    let (mut child, input, streams) = if terminal { on_terminal(words)? } else { piped(words)? };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (sender, ended) = channel::<()>();
    for (kind, stream) in &streams {
        let (kind, stream) = (*kind, Arc::clone(stream));
        let (writer, sender) = (Arc::clone(writer), sender.clone());
        thread::spawn(move || {
            pump(kind, token, &stream, &writer);
            drop(sender);
        });
    }
    drop(sender);
    let streams = streams.into_iter().map(|(_, stream)| stream).collect();
    let output = Output { streams, ended };
    let writer = Arc::clone(writer);
    thread::spawn(move || finish(&mut child, token, &output, &writer));
    Ok(Running { token, group, input })
}

/// The child, what feeds it, and what comes from it.
type Begun = (Child, Option<Box<dyn Write + Send>>, Vec<(Kind, Arc<File>)>);

/// What comes from a command.
struct Output {
    streams: Vec<Arc<File>>,
    /// Closed when all of them have ended.
    ended: Receiver<()>,
}

fn piped(words: &[String]) -> Result<Begun> {
    let (first, rest) = words.split_first().context_none("no command")?;
    let mut begun = environment(program(first).args(rest));
    let pipes = begun.command().stdin(Stdio::piped()).stdout(Stdio::piped());
    pipes.stderr(Stdio::piped()).process_group(0);
    let mut child = begun.spawn()?;
    let input = child.stdin.take().map(|pipe: ChildStdin| Box::new(pipe) as Box<dyn Write + Send>);
    let mut streams = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        streams.push((Kind::Output, Arc::new(File::from(OwnedFd::from(pipe)))));
    }
    if let Some(pipe) = child.stderr.take() {
        streams.push((Kind::Error, Arc::new(File::from(OwnedFd::from(pipe)))));
    }
    Ok((child, input, streams))
}

fn on_terminal(words: &[String]) -> Result<Begun> {
    let [columns, rows, term, words @ ..] = words else { return fail("no terminal") };
    let trouble = || "pty".to_owned();
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = File::from(openpt(flags).context(trouble)?);
    grantpt(&master).and_then(|()| unlockpt(&master)).context(trouble)?;
    let name = ptsname(&master, Vec::new()).context(trouble)?;
    let number = |text: &str| text.parse().unwrap_or(0);
    let size =
        Winsize { ws_row: number(rows), ws_col: number(columns), ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).context(trouble)?;
    let path = name.to_string_lossy().into_owned();
    let slave = OpenOptions::new().read(true).write(true).open(&path).context(|| path.clone())?;
    // A child of ours can't take a terminal without code between fork and exec; setsid(1) can.
    let begun = program("setsid").args(["--ctty", "--wait", "--"]).args(words);
    let mut begun = environment(begun).env("TERM", term);
    let (out, err) = (slave.try_clone().context(trouble)?, slave.try_clone().context(trouble)?);
    begun.command().stdin(slave).stdout(out).stderr(err).process_group(0);
    let child = begun.spawn()?;
    let input = master.try_clone().context(trouble)?;
    Ok((child, Some(Box::new(input)), vec![(Kind::Output, Arc::new(master))]))
}

fn environment(program: Program) -> Program {
    let clean = program.env_clear().env("PATH", PATH).env("HOME", "/root");
    clean.env("LANG", "C.UTF-8").dir("/")
}

/// Passes on what a stream yields. The port is ours from before a read until its bytes are sent: what nobody holds is sent.
fn pump(kind: Kind, token: u32, mut from: &File, writer: &Mutex<File>) {
    let mut buffer = vec![0; LONGEST];
    while !wait_for_input(from, None).is_empty() {
        let mut port = writer.lock().unwrap_or_else(PoisonError::into_inner);
        match from.read(&mut buffer) {
            Ok(count) if count > 0 => {
                if frames::send(&mut *port, kind, token, &buffer[..count]).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Waits until there is something to read or a stream has ended; what is there.
fn wait_for_input(from: &File, limit: Option<Timespec>) -> PollFlags {
    loop {
        let mut asked = [PollFd::new(from, PollFlags::IN)];
        match poll(&mut asked, limit.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return PollFlags::empty(),
            Ok(_) => return asked[0].revents(),
        }
    }
}

fn finish(child: &mut Child, token: u32, output: &Output, writer: &Mutex<File>) {
    let code = child
        .wait()
        .map_or(126, |status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
    let code = u8::try_from(code).unwrap_or(255);
    let at_once = Some(Timespec { tv_sec: 0, tv_nsec: 0 });
    loop {
        // Ends when the last pump does; a background process may hold its pipe for ever.
        let waited = output.ended.recv_timeout(LINGER);
        let mut port = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let has_bytes =
            |stream: &Arc<File>| wait_for_input(stream, at_once).contains(PollFlags::IN);
        let has_more = output.streams.iter().any(has_bytes);
        if waited == Err(RecvTimeoutError::Disconnected) || !has_more {
            let _gone = frames::send(&mut *port, Kind::Exit, token, &[code]);
            return;
        }
    }
}

/// An absent value as a failure.
trait ContextNone<T> {
    fn context_none(self, what: &str) -> Result<T>;
}

impl<T> ContextNone<T> for Option<T> {
    fn context_none(self, what: &str) -> Result<T> {
        self.map_or_else(|| fail(what), Ok)
    }
}
