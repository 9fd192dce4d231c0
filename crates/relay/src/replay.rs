//! The last output, kept for clients that attach late.

use std::collections::VecDeque;

use volt_model::frame::{self, Stream};

/// How much is kept, in bytes.
pub(crate) const CAPACITY: usize = 64 * 1024;

/// The last output of both streams, in the order in which it came.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pieces: VecDeque<(Stream, Vec<u8>)>,
    size: usize,
}

impl Replay {
    /// Adds output; the oldest goes.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(CAPACITY)..];
        match self.pieces.back_mut() {
            Some((last, piece)) if *last == stream && piece.len() + bytes.len() <= CAPACITY / 8 => {
                piece.extend_from_slice(bytes);
            }
            _ => self.pieces.push_back((stream, bytes.to_vec())),
        }
        self.size += bytes.len();
        while self.size > CAPACITY {
            let Some((_, oldest)) = self.pieces.front_mut() else { return };
            let over = (self.size - CAPACITY).min(oldest.len());
            oldest.drain(..over);
            self.size -= over;
            if oldest.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// All that is kept, as frames.
    pub(crate) fn frames(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size + self.pieces.len() * frame::HEADER);
        for (stream, piece) in &self.pieces {
            frame::encode_data(*stream, piece, &mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_last_bytes_are_kept_in_order(
            sent in proptest::collection::vec((any::<bool>(), 0usize..20_000), 0..20),
        ) {
            let (mut replay, mut all, mut next) = (Replay::default(), Vec::new(), 0_u8);
            for (error, length) in sent {
                let stream = if error { Stream::Stderr } else { Stream::Stdout };
                next = next.wrapping_add(1);
                replay.push(stream, &vec![next; length]);
                all.extend(vec![(error, next); length]);
            }
            let mut decoder = frame::Decoder::new();
            decoder.push(&replay.frames());
            let mut found = Vec::new();
            while let Some(next) = decoder.next_frame().unwrap() {
                match next {
                    frame::Frame::Stdout(bytes) => found.extend(bytes.iter().map(|b| (false, *b))),
                    frame::Frame::Stderr(bytes) => found.extend(bytes.iter().map(|b| (true, *b))),
                    other => panic!("{other:?}"),
                }
            }
            prop_assert_eq!(&found[..], &all[all.len().saturating_sub(CAPACITY)..]);
        }
    }
}
