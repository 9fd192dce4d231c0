//! Standard input as it comes, without holding up the end of the process.

use bytes::Bytes;
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Standard input in pieces; the channel closes at its end. The thread behind it may outlive the command, waiting for
/// a key that nobody presses: the process doesn't wait for it.
pub(crate) fn stdin() -> mpsc::Receiver<io::Result<Bytes>> {
    let (send, receive) = mpsc::channel(8);
    let pump = move || {
        let mut input = io::stdin().lock();
        let mut buffer = vec![0; 32 << 10];
        loop {
            let piece = match input.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => Ok(Bytes::copy_from_slice(&buffer[..n])),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let last = piece.is_err();
            if send.blocking_send(piece).is_err() || last {
                return;
            }
        }
    };
    // A thread that can't be made looks like an input that ended at once.
    drop(std::thread::Builder::new().name("stdin".into()).spawn(pump));
    receive
}
