//! A `volt-stream` session: this terminal, connected to a workload until it ends or the person leaves it.

mod detach;

use crate::ctx::Ctx;
use crate::input;
use crate::terminal::{self, Raw};
use detach::Detach;
use std::collections::VecDeque;
use std::io::IsTerminal;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::signal::unix::{Signal, SignalKind, signal};
use volt_api::Problem;
use volt_api::stream::{FrameReader, write_frame};
use volt_model::frame::Frame;
use volt_model::kind::ErrorKind;

/// After so many interrupts without an end the person means this command, not the workload.
const PATIENCE: u32 = 3;

/// Standard output is closed: nobody reads on. The code is that of a command which SIGPIPE ends.
const UNHEARD: End = End::Exit(141);
/// The signal that asks a command to end.
const SIGTERM: u8 = 15;

/// How to connect.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// The workload has a terminal.
    pub(crate) tty: bool,
    /// Standard input goes to the workload.
    pub(crate) stdin: bool,
    /// ctrl-p ctrl-q leaves it running.
    pub(crate) detach: bool,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The command ended with this code.
    Exit(u32),
    /// The person left it.
    Detached,
}

impl End {
    /// The exit code of `volt` after such an end.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Exit(code) => u8::try_from(code).unwrap_or(u8::MAX),
            Self::Detached => 0,
        }
    }
}

/// Checks that a terminal can be given to a workload.
///
/// # Errors
/// When standard input is none.
pub(crate) fn check_terminal(options: Options) -> Result<(), Problem> {
    if options.tty && options.stdin && !std::io::stdin().is_terminal() {
        return Err(Problem::new(ErrorKind::Usage, "Standard input is no terminal")
            .hinted("Leave out -t, or keep -t and leave out -i"));
    }
    Ok(())
}

/// Connects this terminal to the stream that `opening` brings, until the workload's command ends. Signals that come while it opens
/// are passed on too.
///
/// # Errors
/// When the stream can't be opened, the connection breaks or the server says why it failed.
pub(crate) async fn run<S>(
    ctx: &Ctx,
    opening: impl Future<Output = Result<S, Problem>>,
    options: Options,
) -> Result<End, Problem>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    // One that came before is for this command: whoever waits for that is asked first.
    tokio::task::yield_now().await;
    let _forwarding = ctx.forward_signals();
    let mut signals = Signals::listen().map_err(|e| {
        Problem::new(ErrorKind::Resource, "Signals can't be listened to").because(&e)
    })?;
    let stream = tokio::select! {
        biased;
        stream = opening => stream?,
        problem = signals.gather() => return Err(problem),
    };
    let _raw = match options.tty && options.stdin {
        true => Some(Raw::enter().map_err(|e| {
            Problem::new(ErrorKind::General, "The terminal can't be made raw").because(&e)
        })?),
        false => None,
    };
    let (from, mut to) = tokio::io::split(stream);
    let end = tokio::select! {
        biased;
        end = output(ctx, from) => end,
        end = send(&mut to, signals, options) => end,
    };
    if matches!(end, Ok(UNHEARD)) {
        // As in a pipe: whoever writes what nobody reads is ended.
        drop(write_frame(&mut to, &Frame::Signal(SIGTERM)).await);
    }
    end
}

/// Prints what comes until the last frame.
async fn output<S: AsyncRead>(ctx: &Ctx, from: ReadHalf<S>) -> Result<End, Problem> {
    let mut frames = FrameReader::new(from);
    loop {
        match frames.next().await.map_err(|e| broken(&e))? {
            Some(Frame::Stdout(bytes)) if !ctx.out.bytes(&bytes) => return Ok(UNHEARD),
            Some(Frame::Stdout(_)) => {}
            Some(Frame::Stderr(bytes)) => ctx.out.error_bytes(&bytes),
            Some(Frame::Exit(code)) => return Ok(End::Exit(code)),
            Some(Frame::Error(text)) => return Err(problem(&text)),
            Some(Frame::Stdin(_) | Frame::Resize { .. } | Frame::Signal(_)) => {}
            None => {
                return Err(Problem::new(
                    ErrorKind::Daemon,
                    "The connection to the workload ended before its command did",
                ));
            }
        }
    }
}

/// The problem in an error frame; a server that sends no JSON is quoted.
fn problem(text: &str) -> Problem {
    serde_json::from_str(text).unwrap_or_else(|_| Problem::new(ErrorKind::General, text))
}

fn broken(error: &std::io::Error) -> Problem {
    Problem::new(ErrorKind::Daemon, "The connection to the workload broke").because(error)
}

/// Sends keys, signals and the terminal's size; returns only when the person leaves.
async fn send<S: AsyncWrite>(
    to: &mut WriteHalf<S>,
    mut signals: Signals,
    options: Options,
) -> Result<End, Problem> {
    let mut keys = options.stdin.then(input::stdin);
    let mut detach = (options.detach && options.tty).then(Detach::default);
    if options.tty {
        resize(to).await;
    }
    loop {
        let frame = tokio::select! {
            number = signals.next() => match number {
                None => {
                    if options.tty {
                        resize(to).await;
                    }
                    continue;
                }
                Some(number) => {
                    if signals.interrupts >= PATIENCE {
                        return Err(interrupted());
                    }
                    Frame::Signal(u8::try_from(number).unwrap_or_default())
                }
            },
            piece = next(&mut keys) => match piece {
                None => {
                    keys = None;
                    Frame::Stdin(Vec::new())
                }
                Some(bytes) => match detach.as_mut().map(|d| d.filter(&bytes)) {
                    None => Frame::Stdin(bytes),
                    Some((_, true)) => return Ok(End::Detached),
                    Some((kept, false)) if kept.is_empty() => continue,
                    Some((kept, false)) => Frame::Stdin(kept),
                },
            },
        };
        // A write that fails means that the other half learns of the end as well, with its reason.
        if write_frame(to, &frame).await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// The next keys; none at the end of input, and never once that was told.
async fn next(
    keys: &mut Option<tokio::sync::mpsc::Receiver<std::io::Result<bytes::Bytes>>>,
) -> Option<Vec<u8>> {
    match keys {
        None => std::future::pending().await,
        Some(keys) => keys.recv().await?.ok().map(Into::into),
    }
}

async fn resize<S: AsyncWrite>(to: &mut WriteHalf<S>) {
    if let Some((columns, rows)) = terminal::size() {
        // See the note on writes that fail above.
        drop(to.write_all(&Frame::Resize { columns, rows }.encode()).await);
        drop(to.flush().await);
    }
}

/// The signals that a workload gets in place of this command, and the one of a resized terminal.
struct Signals {
    passed: Vec<(i32, Signal)>,
    resized: Signal,
    /// How many interrupts came so far.
    interrupts: u32,
    /// What came before there was anybody to pass it on to.
    early: VecDeque<i32>,
}

fn interrupted() -> Problem {
    Problem::new(ErrorKind::Interrupted, "Interrupted")
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        let passed = kinds.into_iter().map(|k| Ok((k.as_raw_value(), signal(k)?)));
        Ok(Self {
            passed: passed.collect::<std::io::Result<_>>()?,
            resized: signal(SignalKind::window_change())?,
            interrupts: 0,
            early: VecDeque::new(),
        })
    }

    /// Keeps what comes until there is somebody to pass it on to; returns when the person has lost patience.
    async fn gather(&mut self) -> Problem {
        while self.interrupts < PATIENCE {
            let number = self.arrived().await;
            self.early.extend(number);
        }
        interrupted()
    }

    /// The number of the next signal to pass on; none when the terminal was resized.
    async fn next(&mut self) -> Option<i32> {
        if let Some(number) = self.early.pop_front() {
            return Some(number);
        }
        self.arrived().await
    }

    async fn arrived(&mut self) -> Option<i32> {
        let Self { passed, resized, interrupts, .. } = self;
        std::future::poll_fn(|cx| {
            for (number, signal) in passed.iter_mut() {
                if signal.poll_recv(cx).is_ready() {
                    *interrupts += u32::from(*number == SignalKind::interrupt().as_raw_value());
                    return std::task::Poll::Ready(Some(*number));
                }
            }
            resized.poll_recv(cx).map(|_| None)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_ends() {
        assert_eq!(End::Exit(3).code(), 3);
        assert_eq!(End::Exit(1000).code(), 255);
        assert_eq!(End::Detached.code(), 0);
    }

    #[test]
    fn an_error_frame_is_a_problem() {
        let sent = Problem::new(ErrorKind::NotFound, "no");
        assert_eq!(problem(&serde_json::to_string(&sent).unwrap()), sent);
        assert_eq!(problem("garbage").title, "garbage");
    }
}
