//! Getting objects out of packs: which parts of which packs have what is missing, fetched several at once, checked, and put together.

use super::Shelf;
use super::artifact::PackOf;
use super::index::Frame;
use super::recipes::Recipes;
use crate::cas::{Cas, Lease};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::parallel::Until;
use crate::progress::{Progress, at_once, unless_over};
use crate::tree::Meta;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How many parts are fetched at the same time.
const AT_ONCE: usize = 4;
/// The longest part of a pack that is asked for at once, in bytes.
const PART: u64 = 16 << 20;
/// What lies between two parts and is fetched with them, since it costs less than another request, in bytes.
const GAP: u64 = 64 << 10;

/// An object that is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) object: Digest,
    /// How large it is, where that is known.
    pub(super) size: Option<u64>,
    /// The attributes of a file that it is in.
    pub(super) meta: Option<Meta>,
}

/// A chunk in a local object: which, from where, how long.
pub(super) type Places = HashMap<Digest, (Digest, u64, u64)>;

/// Where objects come from and go to.
pub(super) struct Fetch<'a> {
    pub(super) cas: &'a Cas,
    pub(super) lease: &'a Lease,
    pub(super) shelf: &'a dyn Shelf,
    pub(super) packs: &'a [(PackOf, Vec<Frame>)],
    pub(super) recipes: &'a Recipes,
    /// What is here already of large objects.
    pub(super) places: &'a Places,
    /// The most that all objects together may be, in bytes.
    pub(super) limit: u64,
    pub(super) progress: &'a dyn Progress,
}

/// A chunk that is wanted. It is stored as an object, which it may be, or else stays until what it is a part of is there: a pull that
/// breaks off has it for the next.
#[derive(Default)]
struct Need {
    /// The attributes of a file that it is all of.
    meta: Option<Meta>,
    length: u64,
}

/// A part of a pack: its frames.
struct Part<'a> {
    pack: &'a PackOf,
    frames: Vec<&'a Frame>,
}

impl Part<'_> {
    fn range(&self) -> std::ops::Range<u64> {
        let end = self.frames.last().map_or(0, |frame| frame.offset + frame.stored);
        self.frames.first().map_or(0, |frame| frame.offset)..end
    }
}

impl Fetch<'_> {
    /// Gets these objects, none of which is here. How many bytes were fetched.
    pub(super) fn all(&self, wanted: &[Wanted]) -> Result<u64> {
        let (mut needs, mut large) = (HashMap::<Digest, Need>::new(), Vec::new());
        for one in wanted {
            match self.recipes.get(&one.object) {
                None => needs.entry(one.object).or_default().meta.clone_from(&one.meta),
                Some(recipe) => {
                    for chunk in recipe.iter().filter(|chunk| !self.places.contains_key(*chunk)) {
                        needs.entry(*chunk).or_default();
                    }
                    large.push(one);
                }
            }
        }
        let mut places = self.places.clone();
        self.find_here(&mut needs, &mut places)?;
        let parts = self.parts(&mut needs)?;
        places.extend(needs.iter().map(|(chunk, need)| (*chunk, (*chunk, 0, need.length))));
        self.check_sizes(wanted, &places)?;
        let fetched = self.parts_at_once(&parts, &needs)?;
        self.progress.step("Putting large files together");
        for one in large {
            if self.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            self.put_together(one, &places)?;
        }
        Ok(fetched)
    }

    /// Takes out of what is needed what an earlier pull has fetched.
    fn find_here(&self, needs: &mut HashMap<Digest, Need>, places: &mut Places) -> Result<()> {
        let chunks = self.packs.iter().flat_map(|(_, frames)| frames).flat_map(|f| &f.chunks);
        let wanted: Vec<_> =
            chunks.filter(|(chunk, _)| needs.contains_key(chunk)).copied().collect();
        let objects = self.cas.objects();
        let missing = objects.pin_all(self.lease, &wanted)?;
        for (chunk, length) in wanted {
            if missing.contains(&chunk) || places.contains_key(&chunk) {
                continue;
            }
            if self.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            if objects.check(&chunk)? == Some(true) {
                needs.remove(&chunk);
                places.insert(chunk, (chunk, 0, length));
            } else {
                // Else what is fetched would find it there.
                self.cas.put_away(&chunk)?;
            }
        }
        Ok(())
    }

    /// The parts of packs that have what is needed, whose lengths are noted.
    fn parts(&self, needs: &mut HashMap<Digest, Need>) -> Result<Vec<Part<'_>>> {
        let (mut parts, mut missing) = (Vec::new(), needs.len());
        for (pack, frames) in self.packs {
            let mut part: Option<Part<'_>> = None;
            for frame in frames {
                let mut is_needed = false;
                for (chunk, length) in &frame.chunks {
                    if let Some(need) = needs.get_mut(chunk).filter(|need| need.length == 0) {
                        need.length = *length;
                        missing -= 1;
                        is_needed = true;
                    }
                }
                if !is_needed {
                    continue;
                }
                let (end, begin) = (frame.offset + frame.stored, part.as_ref().map(Part::range));
                let goes_on = begin.is_some_and(|range| {
                    frame.offset - range.end <= GAP && end - range.start <= PART
                });
                match &mut part {
                    Some(part) if goes_on => part.frames.push(frame),
                    _ => parts.extend(part.replace(Part { pack, frames: vec![frame] })),
                }
            }
            parts.extend(part);
        }
        match missing {
            0 => Ok(parts),
            _ => Err(Error::Damaged("its packs don't have all that is in the tree".into())),
        }
    }

    /// Refuses what is not as large as the tree says, or larger than trees may be, before anything is fetched.
    fn check_sizes(&self, wanted: &[Wanted], places: &Places) -> Result<()> {
        let mut all = 0_u64;
        for one in wanted {
            let length = |chunk: &Digest| places.get(chunk).map_or(0, |(_, _, length)| *length);
            let size: u64 = match self.recipes.get(&one.object) {
                Some(recipe) => recipe.iter().map(length).sum(),
                None => length(&one.object),
            };
            if one.size.is_some_and(|said| said != size) {
                let text = format!("{} has {size} bytes, and not what its tree says", one.object);
                return Err(Error::Damaged(text));
            }
            all = all.saturating_add(size);
            if all > self.limit {
                let text = format!("its files have more than {} bytes together", self.limit);
                return Err(Error::Damaged(text));
            }
        }
        Ok(())
    }

    /// Fetches the parts, several at once.
    fn parts_at_once(&self, parts: &[Part<'_>], needs: &HashMap<Digest, Need>) -> Result<u64> {
        self.progress.step("Downloading");
        let length = |part: &Part<'_>| part.range().end - part.range().start;
        let total: u64 = parts.iter().map(length).sum();
        let (next, done, is_over) =
            (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let (cas, lease, shelf) = (self.cas, self.lease, self.shelf);
        let work = || -> Result<()> {
            while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                if is_over.load(Ordering::Relaxed) {
                    return Err(Error::Cancelled);
                }
                let one = Storing { cas, lease, needs };
                one.part(shelf, part).inspect_err(|_| is_over.store(true, Ordering::Relaxed))?;
                done.fetch_add(length(part), Ordering::Relaxed);
            }
            Ok(())
        };
        let mut look = || {
            if self.progress.cancelled() {
                is_over.store(true, Ordering::Relaxed);
            }
            self.progress.bytes(done.load(Ordering::Relaxed), Some(total));
        };
        let gave_up = |error: &Error| matches!(error, Error::Cancelled);
        match at_once(AT_ONCE.min(parts.len()), &work, &mut look, gave_up) {
            Some(error) => Err(error),
            None if self.progress.cancelled() => Err(Error::Cancelled),
            None => Ok(total),
        }
    }

    /// Makes a large object of its chunks.
    fn put_together(&self, one: &Wanted, places: &Places) -> Result<()> {
        let recipe = self.recipes.get(&one.object).into_iter().flatten();
        let place = |chunk: &Digest| places.get(chunk).copied();
        let places = recipe.map(place).collect::<Option<_>>();
        let places = places.ok_or_else(|| Error::Damaged("not all chunks came".into()))?;
        let chunks = Chunks { cas: self.cas, places, open: None };
        let mut input = Until { inner: chunks, is_over: &|| self.progress.cancelled() };
        let put = self.cas.objects().put_of(self.lease, &mut input, one.meta.as_ref());
        let put = unless_over(put, self.progress)?;
        if put.digest == one.object {
            return Ok(());
        }
        Err(Error::Damaged(format!("the chunks of {} make another object", one.object)))
    }
}

/// Puts chunks where they are wanted.
struct Storing<'a> {
    cas: &'a Cas,
    lease: &'a Lease,
    needs: &'a HashMap<Digest, Need>,
}

impl Storing<'_> {
    /// Fetches a part, and stores what is wanted of it.
    fn part(&self, shelf: &dyn Shelf, part: &Part<'_>) -> Result<()> {
        let (digest, size) = part.pack.pack.key();
        let range = part.range();
        let bytes = shelf.read(&digest.to_string(), size, range.clone())?;
        if bytes.len() as u64 != range.end - range.start {
            return Err(Error::Damaged(format!("a part of {digest} is of another length")));
        }
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        for frame in &part.frames {
            let begin = index(frame.offset - range.start);
            let stored = &bytes[begin..begin + index(frame.stored)];
            let plain = zstd::bulk::decompress(stored, index(frame.plain()))
                .ok()
                .filter(|plain| plain.len() as u64 == frame.plain())
                .ok_or_else(|| Error::Damaged(format!("a frame of {digest} can't be unpacked")))?;
            let mut at = 0;
            for (chunk, length) in &frame.chunks {
                let bytes = &plain[at..at + index(*length)];
                at += bytes.len();
                if let Some(need) = self.needs.get(chunk) {
                    self.chunk(chunk, bytes, need)?;
                }
            }
        }
        Ok(())
    }

    fn chunk(&self, chunk: &Digest, bytes: &[u8], need: &Need) -> Result<()> {
        if Digest::of(bytes) != *chunk {
            return Err(Error::Damaged(format!("{chunk} is not what its name says")));
        }
        self.cas.objects().put_bytes_of(self.lease, bytes, need.meta.as_ref()).map(drop)
    }
}

/// The bytes of chunks one after the other.
struct Chunks<'a> {
    cas: &'a Cas,
    places: VecDeque<(Digest, u64, u64)>,
    open: Option<(Digest, File)>,
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some((object, offset, length)) = self.places.front_mut() {
            if *length == 0 {
                self.places.pop_front();
                continue;
            }
            if self.open.as_ref().is_none_or(|(open, _)| open != object) {
                let file = self.cas.objects().open(object).map_err(io::Error::other)?;
                self.open = Some((*object, file));
            }
            let Some((_, file)) = &self.open else { unreachable!("it was opened") };
            let most = usize::try_from(*length).unwrap_or(usize::MAX).min(buffer.len());
            let got = file.read_at(&mut buffer[..most], *offset)?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *offset += got as u64;
            *length -= got as u64;
            return Ok(got);
        }
        Ok(0)
    }
}
