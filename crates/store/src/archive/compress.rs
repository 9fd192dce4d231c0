//! gzip, xz and zstd by their magic, both ways, and the guard that stops bombs.
//!
//! Memory is bounded by the decoders' windows: 128 MiB for zstd, 256 MiB for xz.

use crate::error::{Error, Result};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// zstd.
    Zstd,
}

/// How many threads compress to xz at most: each takes some 100 MiB.
const XZ_THREADS: usize = 8;
/// What xz may take, in bytes; `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;
/// The largest zstd window, as a power of two: what `zstd` itself takes without `--long`.
const ZSTD_WINDOW: u32 = 27;
/// Below this many bytes no ratio is suspicious: empty blocks compress well.
const RATIO_FLOOR: u64 = 1 << 30;

impl Compression {
    fn of(magic: &[u8]) -> Result<Self> {
        Ok(match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [] => return Err(Error::NotAnArchive("it is empty".into())),
            [b'B', b'Z', b'h', ..] => {
                return Err(Error::NotAnArchive(
                    "bzip2 is not supported: use gzip, xz or zstd".into(),
                ));
            }
            [b'P', b'K', 3, 4, ..] => return Err(Error::NotAnArchive("it is a zip file".into())),
            _ => Self::None,
        })
    }
}

/// What bounds a decompressed stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamLimits {
    /// The most that may come out, in bytes.
    pub(crate) bytes: u64,
    /// The most that may come out of one byte, once a gibibyte has come out.
    pub(crate) ratio: u64,
}

/// Why the guard stopped a stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("it unpacks to more than {0} bytes, which is the limit")]
    TooLarge(u64),
    #[error("it unpacks to more than {0} times its size: a decompression bomb")]
    Bomb(u64),
}

/// The bytes read from the compressed side so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumed(Arc<AtomicU64>);

impl Consumed {
    /// In bytes.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Decompresses by magic, under the limits.
pub(crate) fn decompress<'a>(
    input: impl Read + Send + 'a,
    limits: StreamLimits,
) -> Result<(impl Read + Send + 'a, Consumed)> {
    let consumed = Consumed::default();
    let counted = Counted { input, consumed: consumed.clone() };
    let mut input = BufReader::with_capacity(128 << 10, counted);
    let start = peek(&mut input)?;
    let plain: Box<dyn Read + Send + 'a> = match Compression::of(&start)? {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
        Compression::Xz => {
            let flags = liblzma::stream::CONCATENATED;
            let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, flags);
            let stream = stream.map_err(|error| Error::Input(error.into()))?;
            Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(input).map_err(Error::Input)?;
            decoder.window_log_max(ZSTD_WINDOW).map_err(Error::Input)?;
            Box::new(decoder)
        }
    };
    // Headers are read in small pieces: a buffer on the plain side as well.
    let guard = Guard { inner: plain, consumed: consumed.clone(), produced: 0, limits };
    Ok((BufReader::with_capacity(128 << 10, guard), consumed))
}

/// Fills the buffer until the magic is in it, since a pipe may hand over a byte at a time.
fn peek<R: Read>(input: &mut BufReader<R>) -> Result<Vec<u8>> {
    let first = input.fill_buf().map_err(Error::Input)?;
    Ok(first[..first.len().min(6)].to_vec())
}

struct Counted<R> {
    input: R,
    consumed: Consumed,
}

impl<R: Read> Read for Counted<R> {
    /// The first read is a long one where it can be, so that `peek` sees the magic.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut size = 0;
        loop {
            let got = self.input.read(&mut buffer[size..])?;
            size += got;
            if got == 0 || size >= buffer.len().min(6) || self.consumed.get() > 0 {
                break;
            }
        }
        self.consumed.0.fetch_add(size as u64, Ordering::Relaxed);
        Ok(size)
    }
}

struct Guard<R> {
    inner: R,
    consumed: Consumed,
    produced: u64,
    limits: StreamLimits,
}

impl<R: Read> Read for Guard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        self.produced += size as u64;
        let StreamLimits { bytes, ratio } = self.limits;
        if self.produced > bytes {
            return Err(io::Error::other(Stopped::TooLarge(bytes)));
        }
        if self.produced > RATIO_FLOOR && self.produced / ratio.max(1) > self.consumed.get() {
            return Err(io::Error::other(Stopped::Bomb(ratio)));
        }
        Ok(size)
    }
}

/// Whose fault an error while reading is: the guard's word, a truncated or broken stream, or the input's own.
pub(crate) fn input_error(error: io::Error) -> Error {
    if let Some(stopped) = error.get_ref().and_then(|inner| inner.downcast_ref::<Stopped>()) {
        return Error::Damaged(stopped.to_string());
    }
    // A decoder's complaint has no number of the kernel's.
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::UnexpectedEof, _) => Error::Damaged("it ends too early".into()),
        (_, None) => Error::Damaged(error.to_string()),
        _ => Error::Input(error),
    }
}

/// A writer that compresses; call [`Packer::finish`] or the end is missing.
pub(crate) enum Packer<W: Write> {
    /// Plain.
    None(W),
    /// gzip, without a name or time in its header.
    Gzip(flate2::write::GzEncoder<W>),
    /// xz.
    Xz(liblzma::write::XzEncoder<W>),
    /// zstd, with a checksum.
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// Compresses to `out`.
    pub(crate) fn new(out: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(out),
            Compression::Gzip => {
                Self::Gzip(flate2::write::GzEncoder::new(out, flate2::Compression::default()))
            }
            Compression::Xz => {
                // Each thread takes a block of its own; what comes out is one stream that any xz reads.
                let threads = std::thread::available_parallelism().map_or(1, usize::from);
                let stream = liblzma::stream::MtStreamBuilder::new()
                    .preset(6)
                    .check(liblzma::stream::Check::Crc64)
                    .threads(u32::try_from(threads.min(XZ_THREADS)).unwrap_or(1))
                    .encoder()?;
                Self::Xz(liblzma::write::XzEncoder::new_stream(out, stream))
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, 3)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Writes the end of the stream.
    pub(crate) fn finish(self) -> io::Result<()> {
        let mut out = match self {
            Self::None(out) => out,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Xz(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        out.flush()
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(out) => out.write(buffer),
            Self::Gzip(out) => out.write(buffer),
            Self::Xz(out) => out.write(buffer),
            Self::Zstd(out) => out.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Xz(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}
