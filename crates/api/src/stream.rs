//! A `volt-stream`: frames over an upgraded connection, read and written asynchronously.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use volt_model::frame::{Decoder, Frame};

/// The value of the `Upgrade` header.
pub const PROTOCOL: &str = "volt-stream";

/// Reads frames from one half of a connection.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader over `from`.
    pub fn new(from: R) -> Self {
        Self { from, decoder: Decoder::new(), buffer: vec![0; 32 * 1024] }
    }

    /// The next frame; none at an end between two frames.
    ///
    /// # Errors
    /// When the connection breaks, ends within a frame, or carries something that is no frame.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next_frame().map_err(io::Error::other)? {
                return Ok(Some(frame));
            }
            let n = self.from.read(&mut self.buffer).await?;
            if n == 0 {
                return if self.decoder.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
            self.decoder.push(&self.buffer[..n]);
        }
    }
}

/// Writes one frame.
///
/// # Errors
/// When the connection breaks.
pub async fn write_frame<W: AsyncWrite + Unpin>(to: &mut W, frame: &Frame) -> io::Result<()> {
    to.write_all(&frame.encode()).await?;
    to.flush().await
}
