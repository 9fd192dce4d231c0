//! The workload's side: its output streams, its input, its terminal's size.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::termios::Winsize;
use volt_model::frame::Stream;

use crate::clients::nonblocking;
use crate::lines::LineCutter;
use crate::program::Io;

/// A line that has begun is logged when nothing comes for this long.
const IDLE: Duration = Duration::from_millis(100);
/// Clients are not read while more than this waits for the workload, in bytes.
const MAX_INPUT: usize = 64 * 1024;
/// What a terminal takes for the end of input.
const END_OF_TRANSMISSION: u8 = 4;

/// One stream of output.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) fd: OwnedFd,
    pub(crate) stream: Stream,
    pub(crate) cutter: LineCutter,
    /// When the line that has begun is logged as it stands.
    pub(crate) flush_at: Option<Instant>,
}

/// What reading an outlet brought.
pub(crate) enum Read {
    /// This many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

impl Outlet {
    /// An outlet on this descriptor.
    pub(crate) fn new(fd: OwnedFd, stream: Stream) -> io::Result<Self> {
        nonblocking(&fd)?;
        Ok(Self { fd, stream, cutter: LineCutter::default(), flush_at: None })
    }

    /// Reads what there is into `buffer`.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Read {
        match rustix::io::read(&self.fd, buffer) {
            Ok(0) => Read::End,
            Ok(length) => Read::Bytes(length),
            Err(Errno::AGAIN | Errno::INTR) => Read::Nothing,
            // A terminal's master says EIO when nobody has the other side open any more.
            Err(_) => Read::End,
        }
    }

    /// To be called after bytes were cut into lines.
    pub(crate) fn touched(&mut self) {
        self.flush_at = self.cutter.is_partial().then(|| Instant::now() + IDLE);
    }
}

/// The workload's standard input.
#[derive(Debug, Default)]
struct Input {
    target: Option<OwnedFd>,
    /// Whether the workload's descriptors have come; until then what clients send is kept.
    known: bool,
    waiting: Vec<u8>,
    ended: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    pub(crate) outlets: Vec<Outlet>,
    input: Input,
    terminal: Option<OwnedFd>,
    size: Option<(u16, u16)>,
}

impl Workload {
    /// Takes the descriptors when they come. They come once: init is the workload's side, and more of them would cost this
    /// process descriptors without end.
    pub(crate) fn connect(&mut self, io: Io) -> io::Result<()> {
        if std::mem::replace(&mut self.input.known, true) {
            return Ok(());
        }
        match io {
            Io::Terminal(master) => {
                self.outlets.push(Outlet::new(master.try_clone()?, Stream::Stdout)?);
                self.input.target = Some(master.try_clone()?);
                self.terminal = Some(master);
                if let Some((columns, rows)) = self.size {
                    self.resize(columns, rows);
                }
            }
            Io::Pipes { stdin, stdout, stderr } => {
                self.outlets.push(Outlet::new(stdout, Stream::Stdout)?);
                self.outlets.push(Outlet::new(stderr, Stream::Stderr)?);
                if let Some(stdin) = &stdin {
                    nonblocking(stdin)?;
                }
                self.input.target = stdin;
            }
        }
        if self.input.target.is_none() {
            self.input.waiting.clear();
        }
        self.write_input();
        Ok(())
    }

    /// Sets the terminal's size, at once or when it comes.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.size = Some((columns, rows));
        if let Some(terminal) = &self.terminal {
            let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
            // A terminal that is gone has no size.
            let _ = rustix::termios::tcsetwinsize(terminal, size);
        }
    }

    /// Whether a client has said the terminal's size.
    pub(crate) fn has_size(&self) -> bool {
        self.size.is_some()
    }

    /// Whether clients may send more.
    pub(crate) fn takes_input(&self) -> bool {
        self.input.waiting.len() < MAX_INPUT
    }

    /// Where input is waiting to be written.
    pub(crate) fn input_to_poll(&self) -> Option<BorrowedFd<'_>> {
        let target = self.input.target.as_ref()?;
        (!self.input.waiting.is_empty()).then(|| target.as_fd())
    }

    /// Bytes from a client; none is the end of input.
    pub(crate) fn input(&mut self, bytes: &[u8]) {
        let input = &mut self.input;
        if input.ended || (input.known && input.target.is_none()) {
            return;
        }
        if bytes.is_empty() {
            // A terminal stays open: the workload is told as by a person.
            match &self.terminal {
                Some(_) => input.waiting.push(END_OF_TRANSMISSION),
                None => input.ended = true,
            }
        } else {
            input.waiting.extend_from_slice(bytes);
        }
        self.write_input();
    }

    /// Writes what is waiting, as much as is taken now.
    pub(crate) fn write_input(&mut self) {
        let input = &mut self.input;
        let Some(target) = &input.target else { return };
        let mut written = 0;
        let mut closed = false;
        while written < input.waiting.len() {
            match rustix::io::write(target, &input.waiting[written..]) {
                Ok(length) => written += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // The workload has closed its side: it wants no more.
                Err(_) => {
                    closed = true;
                    break;
                }
            }
        }
        input.waiting.drain(..written);
        if closed {
            input.waiting.clear();
        }
        if closed || (input.ended && input.waiting.is_empty()) {
            input.target = None;
        }
    }

    /// When the next begun line is due.
    pub(crate) fn next_flush(&self) -> Option<Instant> {
        self.outlets.iter().filter_map(|outlet| outlet.flush_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_taken_once() {
        let mut workload = Workload::default();
        let pipes = || {
            let pipe = || rustix::pipe::pipe().unwrap();
            let ((stdout, _), (stderr, _)) = (pipe(), pipe());
            Io::Pipes { stdin: None, stdout, stderr }
        };
        for _ in 0..3 {
            workload.connect(pipes()).unwrap();
        }
        assert_eq!(workload.outlets.len(), 2);
        let (stdin, _) = rustix::pipe::pipe().unwrap();
        workload.connect(Io::Terminal(stdin)).unwrap();
        assert_eq!(workload.outlets.len(), 2);
        assert!(workload.terminal.is_none());
    }
}
