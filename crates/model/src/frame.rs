//! The attach stream: its frames, how they are written, and a decoder that takes bytes as they come.
//!
//! What attach and exec speak, on a workload's attach socket and over the upgraded HTTP connection alike. A frame is one
//! byte of type, four bytes of length (big-endian, at most [`MAX_PAYLOAD`]) and the payload. Must not do I/O.

use thiserror::Error;

/// The longest payload of one frame, in bytes. Longer data is sent as several frames.
pub const MAX_PAYLOAD: usize = 65536;

/// Bytes before the payload: the type and the length.
pub const HEADER: usize = 5;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const RESIZE: u8 = 3;
const SIGNAL: u8 = 4;
const EXIT: u8 = 5;
const ERROR: u8 = 6;

/// One message of the attach stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes for the workload's standard input; empty means end of input.
    Stdin(Vec<u8>),
    /// What the workload wrote to standard output (or to its terminal).
    Stdout(Vec<u8>),
    /// What the workload wrote to standard error.
    Stderr(Vec<u8>),
    /// The size of the client's terminal, in characters.
    Resize {
        /// Characters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// A signal for the command, by number.
    Signal(u8),
    /// How the command ended; the last frame.
    Exit(u32),
    /// A problem in JSON in place of an exit code; the last frame.
    Error(String),
}

/// Which of the three byte streams a piece of data belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// To the workload.
    Stdin,
    /// From the workload, standard output or terminal.
    Stdout,
    /// From the workload, standard error.
    Stderr,
}

/// Why bytes are not a frame. The stream cannot be read on after one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// A type byte that this version does not know.
    #[error("unknown frame type {0}")]
    UnknownType(u8),
    /// A length above [`MAX_PAYLOAD`], found before anything is allocated for it.
    #[error("a frame of {0} bytes is longer than {MAX_PAYLOAD}")]
    TooLong(u32),
    /// A payload of the wrong length for its type.
    #[error("frame type {kind} cannot have a payload of {length} bytes")]
    WrongLength {
        /// The type byte.
        kind: u8,
        /// The payload's length.
        length: usize,
    },
    /// The problem of an error frame is not UTF-8.
    #[error("the text of an error frame is not UTF-8")]
    NotText,
}

impl Frame {
    /// The frame as bytes. Data longer than [`MAX_PAYLOAD`] becomes several frames.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Appends the frame to `out`; see [`Frame::encode`].
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Stdin(bytes) => encode_data(Stream::Stdin, bytes, out),
            Self::Stdout(bytes) => encode_data(Stream::Stdout, bytes, out),
            Self::Stderr(bytes) => encode_data(Stream::Stderr, bytes, out),
            Self::Resize { columns, rows } => {
                let [a, b] = columns.to_be_bytes();
                let [c, d] = rows.to_be_bytes();
                put(RESIZE, &[a, b, c, d], out);
            }
            Self::Signal(number) => put(SIGNAL, &[*number], out),
            Self::Exit(code) => put(EXIT, &code.to_be_bytes(), out),
            Self::Error(text) => {
                let end = text.floor_char_boundary(MAX_PAYLOAD);
                put(ERROR, &text.as_bytes()[..end], out);
            }
        }
    }
}

/// Appends `bytes` as frames of `stream` without copying them into a [`Frame`] first. Nothing is appended for empty
/// output; empty input is the frame that means end of input.
pub fn encode_data(stream: Stream, bytes: &[u8], out: &mut Vec<u8>) {
    let kind = match stream {
        Stream::Stdin => STDIN,
        Stream::Stdout => STDOUT,
        Stream::Stderr => STDERR,
    };
    if bytes.is_empty() && stream == Stream::Stdin {
        put(kind, &[], out);
    }
    for piece in bytes.chunks(MAX_PAYLOAD) {
        put(kind, piece, out);
    }
}

fn put(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("a payload is at most MAX_PAYLOAD");
    out.reserve(HEADER + payload.len());
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Cuts a stream of bytes into frames, however the bytes were split on the way. It holds what was pushed and not yet
/// taken: take all frames after every push and it never holds much more than one frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// How much of `buffer` is already taken; moved to the front only on the next push, so taking is cheap.
    taken: usize,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the stream stops between two frames, as it must at its end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == self.taken
    }

    /// The next whole frame, or nothing when more bytes are needed.
    ///
    /// # Errors
    ///
    /// The bytes are no frame; every further call says so again.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let rest = &self.buffer[self.taken..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [kind, a, b, c, d] = *header;
        let length = u32::from_be_bytes([a, b, c, d]);
        if kind > ERROR {
            return Err(FrameError::UnknownType(kind));
        }
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size > MAX_PAYLOAD {
            return Err(FrameError::TooLong(length));
        }
        let Some(payload) = rest.get(..size) else { return Ok(None) };
        let frame = decode(kind, payload)?;
        self.taken += HEADER + size;
        Ok(Some(frame))
    }
}

fn decode(kind: u8, payload: &[u8]) -> Result<Frame, FrameError> {
    let wrong = || FrameError::WrongLength { kind, length: payload.len() };
    Ok(match kind {
        STDIN => Frame::Stdin(payload.to_vec()),
        STDOUT => Frame::Stdout(payload.to_vec()),
        STDERR => Frame::Stderr(payload.to_vec()),
        RESIZE => {
            let &[a, b, c, d] = payload else { return Err(wrong()) };
            Frame::Resize { columns: u16::from_be_bytes([a, b]), rows: u16::from_be_bytes([c, d]) }
        }
        SIGNAL => {
            let &[number] = payload else { return Err(wrong()) };
            Frame::Signal(number)
        }
        EXIT => Frame::Exit(u32::from_be_bytes(payload.try_into().map_err(|_| wrong())?)),
        ERROR => {
            Frame::Error(std::str::from_utf8(payload).map_err(|_| FrameError::NotText)?.to_owned())
        }
        other => return Err(FrameError::UnknownType(other)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        let mut found = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            found.push(frame);
        }
        Ok(found)
    }

    #[test]
    fn the_bytes_are_those_of_the_contract() {
        let cases: [(Frame, &[u8]); 7] = [
            (Frame::Stdin(vec![]), &[0, 0, 0, 0, 0]),
            (Frame::Stdout(b"hi".to_vec()), &[1, 0, 0, 0, 2, b'h', b'i']),
            (Frame::Stderr(b"!".to_vec()), &[2, 0, 0, 0, 1, b'!']),
            (Frame::Resize { columns: 80, rows: 300 }, &[3, 0, 0, 0, 4, 0, 80, 1, 44]),
            (Frame::Signal(15), &[4, 0, 0, 0, 1, 15]),
            (Frame::Exit(143), &[5, 0, 0, 0, 4, 0, 0, 0, 143]),
            (Frame::Error("{}".into()), &[6, 0, 0, 0, 2, b'{', b'}']),
        ];
        for (frame, bytes) in cases {
            assert_eq!(frame.encode(), bytes, "{frame:?}");
            assert_eq!(frames(bytes).unwrap(), [frame]);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_anything_is_allocated() {
        let cases: [(&[u8], FrameError); 5] = [
            (&[7, 0, 0, 0, 0], FrameError::UnknownType(7)),
            (&[0, 0, 1, 0, 1], FrameError::TooLong(65537)),
            (&[1, 255, 255, 255, 255], FrameError::TooLong(u32::MAX)),
            (&[4, 0, 0, 0, 0], FrameError::WrongLength { kind: 4, length: 0 }),
            (&[6, 0, 0, 0, 1, 0xff], FrameError::NotText),
        ];
        for (bytes, error) in cases {
            assert_eq!(frames(bytes), Err(error));
        }
    }

    #[test]
    fn long_data_becomes_several_frames() {
        let data = vec![b'x'; MAX_PAYLOAD * 2 + 1];
        let found = frames(&Frame::Stdout(data).encode()).unwrap();
        let sizes: Vec<usize> = found
            .iter()
            .map(|frame| match frame {
                Frame::Stdout(bytes) => bytes.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [MAX_PAYLOAD, MAX_PAYLOAD, 1]);
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let bytes = || proptest::collection::vec(any::<u8>(), 1..300);
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Frame::Stdin),
            bytes().prop_map(Frame::Stdout),
            bytes().prop_map(Frame::Stderr),
            any::<(u16, u16)>().prop_map(|(columns, rows)| Frame::Resize { columns, rows }),
            any::<u8>().prop_map(Frame::Signal),
            any::<u32>().prop_map(Frame::Exit),
            ".{0,80}".prop_map(Frame::Error),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_however_they_are_split(
            sent in proptest::collection::vec(any_frame(), 0..8),
            step in 1usize..64,
        ) {
            let mut bytes = Vec::new();
            for frame in &sent {
                frame.encode_into(&mut bytes);
            }
            let mut decoder = Decoder::new();
            let mut found = Vec::new();
            for piece in bytes.chunks(step) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    found.push(frame);
                }
            }
            prop_assert!(decoder.is_empty());
            prop_assert_eq!(found, sent);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            if let Ok(found) = frames(&bytes) {
                let mut again = Vec::new();
                for frame in &found {
                    // Empty output is a frame on the wire that a sender never writes.
                    match frame {
                        Frame::Stdout(b) | Frame::Stderr(b) if b.is_empty() => {
                            again.extend_from_slice(&[u8::from(matches!(frame, Frame::Stderr(_))) + 1, 0, 0, 0, 0]);
                        }
                        other => other.encode_into(&mut again),
                    }
                }
                prop_assert!(bytes.starts_with(&again));
            }
        }
    }
}
