//! One entry of a tree, wherever it comes from: what archives, folders and trees on disk have in common.

use super::path::EntryPath;
use rustix::fs::{Timespec, Timestamps};

/// An entry and its attributes; the contents of a file come beside it, as a reader.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Where it lies.
    pub(crate) path: EntryPath,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its attributes.
    pub(crate) meta: Meta,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A folder.
    Directory,
    /// A file. The reader beside it yields the bytes of the segments, one after the other.
    File(Shape),
    /// A symbolic link with its target, verbatim.
    Symlink(Vec<u8>),
    /// Another name of an entry that came before.
    HardLink(EntryPath),
    /// A named pipe.
    Fifo,
    /// Something that is not kept in images: said in words (`character device 1:3`).
    Special(String),
}

/// The size of a file and where it has data; between the segments are holes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Shape {
    /// The size that `stat` shows, in bytes.
    pub(crate) size: u64,
    /// The data, ordered, without overlaps.
    pub(crate) segments: Vec<Segment>,
}

/// The most segments of one file.
pub(crate) const SEGMENT_LIMIT: usize = 1 << 20;

/// What the shortest of holes are shorter than, in bytes.
const SHORT_HOLE: u64 = 8 << 10;

/// A range of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins.
    pub(crate) offset: u64,
    /// How long it is.
    pub(crate) length: u64,
}

/// The segments of a file as they are found, one behind the other and at most so many.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    found: Vec<Segment>,
    /// Holes shorter than this count as data, in bytes.
    hole: u64,
}

impl Segments {
    /// Takes the next one. Where there are more than `most`, the shortest holes are none any more: what is read of them are zeros.
    pub(crate) fn add(&mut self, segment: Segment, most: usize) {
        self.join(segment);
        while self.found.len() > most {
            self.hole = (self.hole * 2).max(SHORT_HOLE);
            for segment in std::mem::take(&mut self.found) {
                self.join(segment);
            }
        }
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Segment> {
        self.found
    }

    fn join(&mut self, next: Segment) {
        let hole = self.hole;
        match self.found.last_mut() {
            Some(last) if next.offset - (last.offset + last.length) < hole => {
                last.length = next.offset + next.length - last.offset;
            }
            _ => self.found.push(next),
        }
    }
}

impl Shape {
    /// A file without holes.
    pub(crate) fn dense(size: u64) -> Self {
        let segments = if size == 0 { vec![] } else { vec![Segment { offset: 0, length: size }] };
        Self { size, segments }
    }

    /// The bytes of data; `None` when the sum does not fit.
    pub(crate) fn stored(&self) -> Option<u64> {
        self.segments.iter().try_fold(0u64, |sum, s| sum.checked_add(s.length))
    }

    /// Whether the segments are ordered, apart from each other, and within the size.
    pub(crate) fn is_sane(&self) -> bool {
        let mut end = 0;
        for segment in &self.segments {
            let Some(next) = segment.offset.checked_add(segment.length) else { return false };
            if segment.offset < end || next > self.size {
                return false;
            }
            end = next;
        }
        true
    }

    /// The segments as a manifest has them: none where there are no holes, those apart that touch or are empty.
    pub(crate) fn in_manifest(&self) -> Vec<Segment> {
        if self.is_dense() {
            return Vec::new();
        }
        let mut segments: Vec<Segment> = Vec::new();
        for segment in self.segments.iter().filter(|segment| segment.length > 0) {
            match segments.last_mut() {
                Some(last) if last.offset + last.length == segment.offset => {
                    last.length += segment.length;
                }
                _ => segments.push(*segment),
            }
        }
        if segments.is_empty() {
            // One that is empty says that the whole file is a hole.
            segments.push(Segment { offset: self.size, length: 0 });
        }
        segments
    }

    /// Whether it has no holes.
    pub(crate) fn is_dense(&self) -> bool {
        self.stored() == Some(self.size)
    }
}

/// The attributes of an entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Meta {
    /// Permission bits with setuid, setgid and sticky.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// When the contents last changed.
    pub(crate) mtime: Time,
    /// Extended attributes by full name.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Meta {
    /// About what its attributes take in memory, in bytes: each its own, two allocations and where they are.
    pub(crate) fn weight(&self) -> usize {
        self.xattrs.iter().map(|(name, value)| 96 + name.len() + value.len()).sum()
    }

    /// Its time as the kernel takes it.
    pub(crate) fn times(&self) -> Timestamps {
        let Time { seconds, nanoseconds } = self.mtime;
        let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) };
        Timestamps { last_access: time, last_modification: time }
    }
}

/// A point in time: seconds since 1970 and the nanoseconds that come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Time {
    /// Seconds, negative before 1970.
    pub(crate) seconds: i64,
    /// 0 to 999 999 999.
    pub(crate) nanoseconds: u32,
}

/// Whether images keep this extended attribute.
///
/// `trusted.*` and `user.overlay.*` steer overlayfs on the host; labels such as `security.selinux` and hashes
/// such as `security.ima` belong to the machine they were made on.
pub(crate) fn keeps_xattr(name: &[u8]) -> bool {
    match name {
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => true,
        _ => name.starts_with(b"user.") && !name.starts_with(b"user.overlay."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_segments_become_few() {
        // Every other page is a hole, but for one that is long.
        let all: Vec<Segment> = (0..100)
            .map(|n| Segment { offset: n * 8192 + if n < 50 { 0 } else { 1 << 20 }, length: 4096 })
            .collect();
        let mut segments = Segments::default();
        all.iter().for_each(|segment| segments.add(*segment, 8));
        let few = segments.into_vec();
        assert!((2..=8).contains(&few.len()), "{few:?}");
        let end = |segment: &Segment| segment.offset + segment.length;
        let size = all.last().map_or(0, end);
        assert!(Shape { size, segments: few.clone() }.is_sane());
        let has = |one: &Segment| few.iter().any(|f| f.offset <= one.offset && end(one) <= end(f));
        assert!(all.iter().all(has), "{few:?}");
        let mut untouched = Segments::default();
        all.iter().for_each(|segment| untouched.add(*segment, 100));
        assert_eq!(untouched.into_vec(), all);
    }
}
