//! From an archive to its members, one after the other, in bounded memory.
//!
//! Every size an archive states is checked against what is really there before anything is made of it. An
//! extension header's own size never comes from an extension header.

use super::header::{Block, Header};
use super::pax::Records;
use super::sparse::{self, PaxSparse};
use super::{BLOCK, compress};
use crate::error::{Error, Result};
use crate::tree::{Entry, EntryPath, Kind, Meta, Shape, Time, keeps_xattr};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The most an extension header may hold, in bytes: names, links, attributes.
const EXTENSION_LIMIT: u64 = 1 << 20;
/// Of how much that was left out of an entry each is told.
const DROPPED: usize = 16;

/// One entry with what was left out of it.
#[derive(Debug)]
pub(crate) struct Member {
    /// The entry.
    pub(crate) entry: Entry,
    /// What was left out or bent, in words.
    pub(crate) dropped: Vec<String>,
}

/// Reads a tar archive.
pub(crate) struct TarReader<R> {
    input: R,
    globals: Records,
    /// Bytes of the current member that were not read yet.
    left: u64,
    /// Bytes of padding behind them.
    padding: u64,
    headers: u64,
    header_limit: u64,
    last: Vec<u8>,
    /// Whether it may end without padding and the blocks that say that it ends.
    may_just_end: bool,
}

/// What extension headers said about the member that follows them.
#[derive(Default)]
struct Ahead {
    records: Records,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> TarReader<R> {
    /// Reads from `input`, at most `header_limit` headers.
    pub(crate) fn new(input: R, header_limit: u64) -> Self {
        Self {
            input,
            globals: Records::default(),
            left: 0,
            padding: 0,
            headers: 0,
            header_limit,
            last: Vec::new(),
            may_just_end: false,
        }
    }

    /// The same from an input that itself tells an end in the middle, by a digest: some who make layers leave out their end, and
    /// other engines read them.
    pub(crate) fn of_checked(input: R, header_limit: u64) -> Self {
        Self { may_just_end: true, ..Self::new(input, header_limit) }
    }

    /// The next member; nothing at the end of the archive, which is then read to its last byte.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>> {
        let mut ahead = Ahead::default();
        loop {
            self.skip_data()?;
            let Some((block, header)) = self.next_header()? else {
                if ahead.name.is_some() || ahead.link.is_some() || !ahead.records.0.is_empty() {
                    return Err(Error::Damaged("it ends behind an extension header".into()));
                }
                return Ok(None);
            };
            match header.flag {
                b'x' | b'X' => {
                    let body = self.extension(&header)?;
                    ahead.records = self.wrong(&header.name, Records::parse(&body))?;
                }
                b'g' => {
                    let body = self.extension(&header)?;
                    self.globals = self.wrong(&header.name, Records::parse(&body))?;
                    self.check_globals(&header)?;
                }
                b'L' => ahead.name = Some(until_nul(self.extension(&header)?)),
                b'K' => ahead.link = Some(until_nul(self.extension(&header)?)),
                // The label of the volume is no entry.
                b'V' => self.begin_data(header.size)?,
                _ => {
                    return self.member(&block, &header, ahead).map(Some);
                }
            }
        }
    }

    /// The data of the current member's segments, one after the other.
    pub(crate) fn data(&mut self) -> impl Read + '_ {
        Data { input: &mut self.input, left: &mut self.left }
    }

    fn next_header(&mut self) -> Result<Option<([u8; BLOCK], Header)>> {
        let mut block = [0; BLOCK];
        if self.may_just_end {
            match (&mut self.input).take(1).read(&mut block).map_err(compress::input_error)? {
                0 => return Ok(None),
                _ => self.read_exact(&mut block[1..])?,
            }
        } else {
            self.read_exact(&mut block)?;
        }
        if Block(&block).is_zero() {
            self.read_end()?;
            return Ok(None);
        }
        self.headers += 1;
        if self.headers > self.header_limit {
            return Err(Error::refused(&self.last, "the archive has too many entries"));
        }
        match Block(&block).parse() {
            Ok(header) => Ok(Some((block, header))),
            Err(_) if self.headers == 1 => {
                Err(Error::NotAnArchive("it does not begin with a tar header".into()))
            }
            Err(reason) => Err(Error::Damaged(format!(
                "{reason}, behind `{}`",
                crate::error::printable(&self.last)
            ))),
        }
    }

    /// The second zero block may be missing; what follows is padding. Reading it all makes the decompressor
    /// check its checksum.
    fn read_end(&mut self) -> Result<()> {
        io::copy(&mut self.input, &mut io::sink()).map(drop).map_err(compress::input_error)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof if self.headers == 0 => {
                Error::NotAnArchive("it is too short for a tar archive".into())
            }
            io::ErrorKind::UnexpectedEof => {
                let last = crate::error::printable(&self.last);
                Error::Damaged(format!("it ends in the middle, at or behind `{last}`"))
            }
            _ => compress::input_error(error),
        })
    }

    fn begin_data(&mut self, size: u64) -> Result<()> {
        // Beyond this no padding can be computed and no file system could hold it.
        if size > u64::MAX / 4 {
            return Err(Error::refused(&self.last, "its size is absurd"));
        }
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    fn skip_data(&mut self) -> Result<()> {
        let (mut rest, padding) = (self.left, self.padding);
        (self.left, self.padding) = (0, 0);
        if !self.may_just_end {
            rest += padding;
        }
        let mut buffer = [0; 16 << 10];
        while rest > 0 {
            let part = usize::try_from(rest).unwrap_or(buffer.len()).min(buffer.len());
            self.read_exact(&mut buffer[..part])?;
            rest -= part as u64;
        }
        if self.may_just_end {
            let padding = &mut (&mut self.input).take(padding);
            io::copy(padding, &mut io::sink()).map_err(compress::input_error)?;
        }
        Ok(())
    }

    /// The body of an extension header.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>> {
        if header.size > EXTENSION_LIMIT {
            return Err(Error::refused(&header.name, "its extension header is larger than 1 MiB"));
        }
        self.begin_data(header.size)?;
        let mut body = vec![0; usize::try_from(header.size).unwrap_or(0)];
        self.read_exact(&mut body)?;
        self.left = 0;
        Ok(body)
    }

    fn check_globals(&self, header: &Header) -> Result<()> {
        let steering = |key: &[u8]| {
            [&b"size"[..], b"path", b"linkpath"].contains(&key) || key.starts_with(b"GNU.sparse.")
        };
        match self.globals.0.iter().find(|(key, _)| steering(key)) {
            None => Ok(()),
            Some(_) => Err(Error::refused(&header.name, "a global header steers names or sizes")),
        }
    }

    fn wrong<T>(&self, entry: &[u8], result: std::result::Result<T, &'static str>) -> Result<T> {
        result.map_err(|reason| Error::refused(entry, reason))
    }

    fn member(&mut self, block: &[u8; BLOCK], header: &Header, ahead: Ahead) -> Result<Member> {
        let Ahead { records, name, link } = ahead;
        let pax_name = records.get(b"GNU.sparse.name").or_else(|| records.get(b"path"));
        let name = pax_name.map(<[u8]>::to_vec).or(name).unwrap_or_else(|| header.name.clone());
        let pax_link = records.get(b"linkpath").map(<[u8]>::to_vec);
        let link = pax_link.or(link).unwrap_or_else(|| header.link.clone());
        self.last.clone_from(&name);
        let path = self.wrong(&name, EntryPath::parse(&name))?;
        let mut dropped = Vec::new();
        if name.starts_with(b"/") {
            dropped.push("its absolute name was taken as one below the image's root".into());
        }
        let kind = self.kind(block, header, &name, (&records, link))?;
        let meta = self.wrong(&name, self.meta(header, &records, &mut dropped))?;
        Ok(Member { entry: Entry { path, kind, meta }, dropped })
    }

    fn kind(
        &mut self,
        block: &[u8; BLOCK],
        header: &Header,
        name: &[u8],
        (records, link): (&Records, Vec<u8>),
    ) -> Result<Kind> {
        // As every reader does: these have no data, whatever their size says.
        let has_data = !matches!(header.flag, b'1' | b'2' | b'3' | b'4' | b'5' | b'6');
        let size = self.wrong(name, records.number(b"size"))?.unwrap_or(header.size);
        self.begin_data(if has_data { size } else { 0 })?;
        let (major, minor) = header.device;
        Ok(match header.flag {
            // Before ustar a folder was a file with a slash at the end of its name.
            0 | b'0' if name.ends_with(b"/") => Kind::Directory,
            b'S' => Kind::File(self.gnu_sparse(block, name, size)?),
            0 | b'0' | b'7' => Kind::File(self.file(records, name, size)?),
            b'1' => {
                let reason =
                    |reason| Error::refused(name, format!("it links to outside: {reason}"));
                Kind::HardLink(EntryPath::parse(&link).map_err(reason)?)
            }
            b'2' if link.is_empty() => return Err(Error::refused(name, "a link without a target")),
            b'2' if link.contains(&0) || link.len() > crate::tree::PATH_LIMIT => {
                return Err(Error::refused(name, "a link whose target is no path"));
            }
            b'2' => Kind::Symlink(link),
            b'3' => Kind::Special(format!("a character device {major}:{minor}")),
            b'4' => Kind::Special(format!("a block device {major}:{minor}")),
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'M' | b'N' => return Err(Error::refused(name, "it continues in another volume")),
            flag => Kind::Special(format!("an entry of the unknown kind {:?}", char::from(flag))),
        })
    }

    fn file(&mut self, records: &Records, name: &[u8], size: u64) -> Result<Shape> {
        let PaxSparse::Map(real, map) = self.wrong(name, sparse::from_records(records))? else {
            return Ok(Shape::dense(size));
        };
        let map = match map {
            Some(map) => map,
            None => {
                let mut data = Data { input: &mut self.input, left: &mut self.left };
                let (map, _) = sparse::read_map(&mut data).map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                        Error::refused(name, "the map of a sparse file is broken")
                    }
                    _ => compress::input_error(error),
                })?;
                map
            }
        };
        self.wrong(name, sparse::shape(real, &map, self.left))
    }

    fn gnu_sparse(&mut self, block: &[u8; BLOCK], name: &[u8], size: u64) -> Result<Shape> {
        let broken = || Error::refused(name, "the map of a sparse file is broken");
        let (mut map, mut more, real) = Block(block).gnu_sparse().ok_or_else(broken)?;
        while more {
            let mut block = [0; BLOCK];
            self.read_exact(&mut block)?;
            let (next, again) = Block(&block).gnu_sparse_more().ok_or_else(broken)?;
            if next.is_empty() || map.len() > 1 << 20 {
                return Err(broken());
            }
            map.extend(next);
            more = again;
        }
        self.wrong(name, sparse::shape(real, &map, size))
    }

    fn meta(
        &self,
        header: &Header,
        records: &Records,
        dropped: &mut Vec<String>,
    ) -> std::result::Result<Meta, &'static str> {
        let either = |key: &[u8]| match records.number(key)? {
            Some(value) => Ok(Some(value)),
            None => self.globals.number(key),
        };
        // The largest number means "no change" to the kernel and can own nothing.
        let id = |pax: Option<u64>, header: i128| {
            let id = pax.map_or(header, i128::from);
            u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or("its owner is absurd")
        };
        let mtime = records.time(b"mtime")?.or(self.globals.time(b"mtime")?);
        let mut more = 0;
        let mut drop = |what: String| match dropped.len() {
            DROPPED.. => more += 1,
            _ => dropped.push(what),
        };
        let mut xattrs: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        for (key, value) in &records.0 {
            if key.starts_with(b"SCHILY.acl.") {
                drop("its access control list in text form was left out".into());
            }
            let Some(name) = key.strip_prefix(b"SCHILY.xattr.") else { continue };
            if !keeps_xattr(name) || name.contains(&0) {
                let name = crate::error::printable(name);
                drop(format!("its attribute {name} was left out"));
                continue;
            }
            xattrs.insert(name.to_vec(), value.clone());
        }
        if more > 0 {
            dropped.push(format!("{more} more of its attributes were left out"));
        }
        Ok(Meta {
            mode: header.mode,
            uid: id(either(b"uid")?, header.uid)?,
            gid: id(either(b"gid")?, header.gid)?,
            mtime: mtime.unwrap_or(Time { seconds: header.mtime, nanoseconds: 0 }),
            xattrs: xattrs.into_iter().collect(),
        })
    }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    bytes
}

struct Data<'a, R> {
    input: &'a mut R,
    left: &'a mut u64,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(*self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match self.input.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            size => {
                *self.left -= size as u64;
                Ok(size)
            }
        }
    }
}
