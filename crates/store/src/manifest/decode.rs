//! Reading a manifest that anybody may have written: bounded, and refused where it is not the one way to write a tree.

use super::{
    Content, Device, END, MAGIC, Node, NodeKind, SEGMENT_LIMIT, XATTR_LIMIT, XATTR_NAME_LIMIT,
    XATTR_VALUE_LIMIT, order,
};
use crate::digest::Digest;
use crate::tree::{EntryPath, Meta, PATH_LIMIT, Segment, Time};
use std::io::{self, Cursor, Read};

/// Why a manifest can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// It is not as the format says.
    #[error("entry {entry}: {reason}")]
    Format {
        /// The number of the entry, from 0.
        entry: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// It could not be read.
    #[error("it can't be read")]
    Io(#[from] io::Error),
}

/// Reads the entries of a manifest one by one. Holds no more than a path for each level and a bit for each entry.
pub(crate) struct Decoder<R: Read> {
    input: R,
    last: Option<Vec<u8>>,
    /// The folders above the last entry, and it where it is one; each by the length of its path.
    folders: Vec<usize>,
    /// Whether the entry with this number may have another name.
    linkable: Vec<bool>,
    ended: bool,
}

impl Decoder<Cursor<Vec<u8>>> {
    /// One that is handed the parts behind the first line one by one.
    pub(super) fn of_parts() -> Self {
        Self::behind_magic(Cursor::default())
    }

    /// Reads a part: a whole entry, or the end.
    pub(super) fn read_part(&mut self, part: &[u8]) -> Result<(), Broken> {
        self.input.get_mut().clear();
        self.input.get_mut().extend_from_slice(part);
        self.input.set_position(0);
        self.next().map(drop)
    }
}

impl<R: Read> Decoder<R> {
    fn behind_magic(input: R) -> Self {
        Self { input, last: None, folders: Vec::new(), linkable: Vec::new(), ended: false }
    }

    /// Reads the first line. `input` is read in small pieces: give it a buffer.
    pub(crate) fn new(mut input: R) -> Result<Self, Broken> {
        let mut magic = [0; MAGIC.len()];
        let is_manifest = match input.read_exact(&mut magic) {
            Ok(()) => magic == MAGIC,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error.into()),
        };
        if !is_manifest {
            return Err(Broken::Format { entry: 0, reason: "it is no tree of version 1" });
        }
        Ok(Self::behind_magic(input))
    }

    /// The next entry; nothing at the end, behind which nothing may follow.
    pub(crate) fn next(&mut self) -> Result<Option<Node>, Broken> {
        if self.ended {
            return Ok(None);
        }
        let kind = self.byte()?;
        if kind == END {
            self.ended = true;
            return match self.input.read(&mut [0]) {
                _ if self.last.is_none() => Err(self.broken("it has no root")),
                Ok(0) => Ok(None),
                Ok(_) => Err(self.broken("something follows its end")),
                Err(error) => Err(error.into()),
            };
        }
        let path = self.path(kind)?;
        let node = if kind == b'h' {
            let to = self.number()?;
            let known = usize::try_from(to).ok().and_then(|to| self.linkable.get(to).copied());
            if known != Some(true) {
                return Err(self.broken("it is another name of what has none"));
            }
            Node { path, kind: NodeKind::Link(to), meta: Meta::default() }
        } else {
            let meta = self.meta()?;
            Node { path, kind: self.kind(kind)?, meta }
        };
        self.linkable.push(!matches!(node.kind, NodeKind::Directory | NodeKind::Link(_)));
        Ok(Some(node))
    }

    fn path(&mut self, kind: u8) -> Result<EntryPath, Broken> {
        let bytes = self.bytes(PATH_LIMIT as u64, "its path is too long")?;
        let path = if bytes.is_empty() {
            EntryPath::default()
        } else {
            match EntryPath::parse(&bytes) {
                Ok(path) if path.as_bytes() == bytes => path,
                _ => return Err(self.broken("its path is no path")),
            }
        };
        match &self.last {
            None if !path.is_root() || kind != b'd' => {
                return Err(self.broken("the first entry is not the root"));
            }
            Some(last) if !order(last, &bytes).is_lt() => {
                return Err(self.broken("it is out of order"));
            }
            _ => {}
        }
        if let Some((above, _)) = path.split() {
            let last = self.last.as_deref().unwrap_or_default();
            while self.folders.last().is_some_and(|length| *length > above.len()) {
                self.folders.pop();
            }
            // In this order the folder above is the one of that length on the way to the last entry, or it is missing.
            if self.folders.last() != Some(&above.len()) || !last.starts_with(above) {
                return Err(self.broken("the folder it is in is missing"));
            }
        }
        if kind == b'd' {
            self.folders.push(bytes.len());
        }
        self.last = Some(bytes);
        Ok(path)
    }

    fn meta(&mut self) -> Result<Meta, Broken> {
        let mode = self.small()?;
        if mode > 0o7777 {
            return Err(self.broken("its mode has more than permissions"));
        }
        let (uid, gid) = (self.small()?, self.small()?);
        let seconds = self.number()?;
        let nanoseconds = self.small()?;
        if nanoseconds > 999_999_999 {
            return Err(self.broken("its nanoseconds are a second"));
        }
        let pairs = self.number()?;
        if pairs > XATTR_LIMIT {
            return Err(self.broken("it has too many attributes"));
        }
        let mut xattrs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for _ in 0..pairs {
            let name = self.bytes(XATTR_NAME_LIMIT, "the name of an attribute is too long")?;
            let value = self.bytes(XATTR_VALUE_LIMIT, "the value of an attribute is too long")?;
            if name.is_empty() || name.contains(&0) {
                return Err(self.broken("an attribute has no proper name"));
            }
            if xattrs.last().is_some_and(|(last, _)| *last >= name) {
                return Err(self.broken("its attributes are out of order"));
            }
            xattrs.push((name, value));
        }
        let mtime = Time { seconds: unzigzag(seconds), nanoseconds };
        Ok(Meta { mode, uid, gid, mtime, xattrs })
    }

    fn kind(&mut self, kind: u8) -> Result<NodeKind, Broken> {
        Ok(match kind {
            b'd' => NodeKind::Directory,
            b'f' => NodeKind::File(self.content()?),
            b'l' => {
                let target = self.bytes(PATH_LIMIT as u64, "its target is too long")?;
                if target.is_empty() || target.contains(&0) {
                    return Err(self.broken("its target is no path"));
                }
                NodeKind::Symlink(target)
            }
            b'p' => NodeKind::Fifo,
            b'c' => NodeKind::Char(self.device()?),
            b'b' => NodeKind::Block(self.device()?),
            _ => return Err(self.broken("it is of no known kind")),
        })
    }

    fn content(&mut self) -> Result<Content, Broken> {
        let size = self.number()?;
        if i64::try_from(size).is_err() {
            return Err(self.broken("its size is absurd"));
        }
        let mut digest = [0; 32];
        self.exactly(&mut digest)?;
        let count = self.number()?;
        if count > SEGMENT_LIMIT {
            return Err(self.broken("it has too many segments"));
        }
        let mut segments: Vec<Segment> = Vec::new();
        let mut end = None;
        for _ in 0..count {
            let segment = Segment { offset: self.number()?, length: self.number()? };
            // Apart from each other, or they would be one.
            let in_order = end.is_none_or(|end| segment.offset > end);
            end = segment.offset.checked_add(segment.length).filter(|end| *end <= size);
            // An empty one says that the whole file is a hole, and stands alone.
            let is_hollow = count == 1 && segment.offset == size;
            if !in_order || end.is_none() || (segment.length == 0) != is_hollow {
                return Err(self.broken("its segments are no segments"));
            }
            segments.push(segment);
        }
        let dense = Segment { offset: 0, length: size };
        if segments.first() == Some(&dense) {
            return Err(self.broken("it has segments and no holes"));
        }
        Ok(Content { size, digest: Digest::from_bytes(digest), segments })
    }

    fn device(&mut self) -> Result<Device, Broken> {
        Ok(Device { major: self.small()?, minor: self.small()? })
    }

    fn bytes(&mut self, limit: u64, too_long: &'static str) -> Result<Vec<u8>, Broken> {
        let length = self.number()?;
        if length > limit {
            return Err(self.broken(too_long));
        }
        let mut bytes = vec![0; usize::try_from(length).expect("the limits are small")];
        self.exactly(&mut bytes)?;
        Ok(bytes)
    }

    fn small(&mut self) -> Result<u32, Broken> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.broken("a number is too large"))
    }

    fn number(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(self.broken("a number is too large"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 {
                    Err(self.broken("a number is longer than it need be"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(self.broken("a number is too large"))
    }

    fn byte(&mut self) -> Result<u8, Broken> {
        let mut byte = [0];
        self.exactly(&mut byte)?;
        Ok(byte[0])
    }

    fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), Broken> {
        match self.input.read_exact(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.broken("it breaks off"))
            }
            other => Ok(other?),
        }
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken::Format { entry: self.linkable.len() as u64, reason }
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
