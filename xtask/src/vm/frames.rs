//! What `host exec` and the agent in a VM say to each other over a virtio port: frames of a type
//! (one byte), a token that tells one command from the one before it on the same port (four bytes),
//! a length (four bytes) and that many bytes. Numbers are big-endian.
//!
//! A frame fits into one write, which the port takes whole or not at all, so that the end of a
//! client in the middle of its output cannot put the next one out of step.

use std::io::{self, Read, Write};

/// The longest payload.
pub(crate) const LONGEST: usize = 16 * 1024;
const HEADER: usize = 9;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To the agent: run this command (a JSON list of words).
    Run = 1,
    /// To the agent: run it on a terminal, of `COLUMNS ROWS TERM` before the words.
    RunTerminal = 2,
    /// To the agent: standard input; empty is its end.
    Input = 3,
    /// From the agent: standard output.
    Output = 4,
    /// From the agent: standard error.
    Error = 5,
    /// From the agent: the exit code, one byte; the last frame.
    Exit = 6,
}

impl Kind {
    fn from(byte: u8) -> Option<Self> {
        use Kind::{Error, Exit, Input, Output, Run, RunTerminal};
        [Run, RunTerminal, Input, Output, Error, Exit].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it is.
    pub(crate) kind: Kind,
    /// Which command it belongs to.
    pub(crate) token: u32,
    /// Its payload.
    pub(crate) bytes: Vec<u8>,
}

/// Sends a frame; `bytes` is at most [`LONGEST`].
pub(crate) fn send(to: &mut impl Write, kind: Kind, token: u32, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(HEADER + bytes.len());
    frame.push(kind as u8);
    frame.extend_from_slice(&token.to_be_bytes());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(bytes);
    to.write_all(&frame)
}

/// Receives a frame; none at the end of the stream, or where what comes is no frame.
pub(crate) fn receive(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut header = [0; HEADER];
    match from.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let length = number(5) as usize;
    let Some(kind) = Kind::from(header[0]).filter(|_| length <= LONGEST) else { return Ok(None) };
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(Some(Frame { kind, token: number(1), bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_received() {
        let mut stream = Vec::new();
        send(&mut stream, Kind::Output, 7, b"one").expect("into memory");
        send(&mut stream, Kind::Exit, 7, &[3]).expect("into memory");
        let mut rest = stream.as_slice();
        let frame = |kind, bytes: &[u8]| Frame { kind, token: 7, bytes: bytes.to_vec() };
        assert_eq!(receive(&mut rest).expect("whole"), Some(frame(Kind::Output, b"one")));
        assert_eq!(receive(&mut rest).expect("whole"), Some(frame(Kind::Exit, &[3])));
        assert_eq!(receive(&mut rest).expect("its end"), None);
    }
}
