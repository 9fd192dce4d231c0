//! Reading what is in an object so that nothing wrong leaves unnoticed: a small one is checked before its first byte is given
//! away, a large one while it is read, before its end is told.

use super::Cas;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::manifest::Content;
use crate::tree::Segment;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Up to this size, in bytes, an object is checked before its first byte leaves.
const WHOLE: u64 = 4 << 20;
/// The piece in which the rest of larger ones is read, in bytes.
const PIECE: usize = 128 << 10;

/// The bytes of some segments of an object, one after the other. Whoever has read them asks [`Checked::finish`].
pub(crate) struct Checked {
    path: PathBuf,
    digest: Digest,
    source: Source,
    /// Why it could not be read.
    failure: Option<io::Error>,
}

enum Source {
    /// Checked already: the segments' bytes.
    Whole(io::Cursor<Vec<u8>>),
    Stream {
        file: File,
        hasher: Box<blake3::Hasher>,
        at: u64,
        size: u64,
        segments: VecDeque<Segment>,
    },
}

impl Cas {
    /// Opens what is in a file, `segments` of it.
    pub(crate) fn content(&self, content: &Content, segments: &[Segment]) -> Result<Checked> {
        let objects = self.objects();
        let path = objects.path(&content.digest);
        let mut file = objects.open(&content.digest)?;
        let failed = |error| unread(&path, error);
        let size = file.metadata().map_err(failed)?.len();
        if size != content.size {
            let reason = format!("the object has {size} bytes in place of {}", content.size);
            return Err(Error::Corrupt { path, reason });
        }
        let source = if size <= WHOLE {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            (&mut file).take(size + 1).read_to_end(&mut bytes).map_err(failed)?;
            if Digest::of(&bytes) != content.digest {
                return Err(wrong(path));
            }
            Source::Whole(io::Cursor::new(cut(bytes, segments)))
        } else {
            let segments = segments.iter().copied().collect();
            Source::Stream { file, hasher: Box::default(), at: 0, size, segments }
        };
        Ok(Checked { path, digest: content.digest, source, failure: None })
    }
}

/// The bytes of the segments.
fn cut(bytes: Vec<u8>, segments: &[Segment]) -> Vec<u8> {
    if let [Segment { offset: 0, length }] = segments
        && *length == bytes.len() as u64
    {
        return bytes;
    }
    let index = |at| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let of = |s: &Segment| &bytes[index(s.offset)..index(s.offset.saturating_add(s.length))];
    segments.iter().flat_map(|segment| of(segment).iter().copied()).collect()
}

fn wrong(path: PathBuf) -> Error {
    Error::Corrupt { path, reason: "the object's contents are not what its name says".into() }
}

fn unread(path: &std::path::Path, error: io::Error) -> Error {
    if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
        let reason = "the disk can't read the object".to_owned();
        return Error::Corrupt { path: path.to_owned(), reason };
    }
    Error::io("read", path, error)
}

impl Checked {
    /// Reads and checks the rest. An error says that what was given away was wrong.
    pub(crate) fn finish(mut self) -> Result<()> {
        let mut piece = vec![0; PIECE];
        if let Source::Stream { segments, size, .. } = &mut self.source {
            // Past all segments, so that what is left is read and given to nobody.
            *segments = [Segment { offset: *size, length: 0 }].into();
        }
        while self.failure.is_none() {
            if let Ok(0) = self.read(&mut piece) {
                break;
            }
        }
        if let Some(error) = self.failure.take() {
            return Err(unread(&self.path, error));
        }
        match self.source {
            Source::Stream { hasher, .. } if Digest::from(hasher.finalize()) != self.digest => {
                Err(wrong(self.path))
            }
            _ => Ok(()),
        }
    }

    /// Why it could not be read, where that was it.
    pub(crate) fn failure(&mut self) -> Option<Error> {
        self.failure.take().map(|error| unread(&self.path, error))
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (file, hasher, at, size, segments) = match &mut self.source {
            Source::Whole(bytes) => return bytes.read(buffer),
            Source::Stream { file, hasher, at, size, segments } => {
                (file, hasher, at, *size, segments)
            }
        };
        while !buffer.is_empty() {
            let Some(segment) = segments.front().copied() else { return Ok(0) };
            let end = segment.offset + segment.length;
            if *at >= end {
                segments.pop_front();
                continue;
            }
            let is_data = *at >= segment.offset;
            let want = if is_data { end } else { segment.offset }.min(size) - *at;
            let mut scratch = Vec::new();
            let target = if is_data {
                &mut *buffer
            } else {
                scratch.resize(PIECE, 0);
                &mut scratch[..]
            };
            let most = usize::try_from(want).unwrap_or(usize::MAX).min(target.len());
            let got = match file.read(&mut target[..most]) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other,
            };
            match got {
                Ok(got) => {
                    hasher.update(&target[..got]);
                    *at += got as u64;
                    if is_data {
                        return Ok(got);
                    }
                }
                Err(error) => {
                    let again = io::Error::new(error.kind(), error.to_string());
                    self.failure = Some(error);
                    return Err(again);
                }
            }
        }
        Ok(0)
    }
}
