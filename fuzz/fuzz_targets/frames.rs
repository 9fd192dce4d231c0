//! The attach stream: bytes in any pieces decode alike, and what decodes encodes to the same.
#![no_main]

use volt_model::frame::{Decoder, Frame};

fn decode(pieces: &[&[u8]]) -> (Vec<Frame>, bool) {
    let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    (frames, true)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (whole, good) = decode(&[data]);
    let (first, second) = data.split_at(data.len() / 2);
    assert_eq!((whole.clone(), good), decode(&[first, second]));
    for frame in whole {
        // Nothing is sent for empty output.
        if matches!(&frame, Frame::Stdout(bytes) | Frame::Stderr(bytes) if bytes.is_empty()) {
            continue;
        }
        assert_eq!(decode(&[&frame.encode()]).0, [frame]);
    }
});
