//! Trees of files: what an entry is, writing a tree from entries, reading a tree as entries.
//!
//! Everything below a tree is somebody else's: names are resolved beneath the root by the kernel (openat2), links
//! are never followed out of it, and nothing found there is opened before it is known to be a file or folder.

mod entry;
mod path;
#[cfg(test)]
pub(crate) mod tests;
mod walk;
mod write;

pub(crate) use entry::{
    Entry, Kind, Meta, SEGMENT_LIMIT, Segment, Segments, Shape, Time, keeps_xattr,
};
pub(crate) use path::{EntryPath, PATH_LIMIT};
pub(crate) use walk::{DenseReader, Expand, Flow, Found, SparseReader, walk, xattrs_of};
pub(crate) use write::{Quota, TreeWriter};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Something of the input that the image does not have, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Neutralised {
    /// The entry, control characters escaped.
    pub entry: String,
    /// What was done with it, in words.
    pub what: String,
}

/// How many neutralised entries are kept by name; of more only the number is kept.
const NOTE_LIMIT: usize = 1000;

/// What was neutralised: by name up to a bound, then counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Notes {
    /// The first thousand.
    pub(crate) list: Vec<Neutralised>,
    /// How many more there were.
    pub(crate) more: u64,
}

impl Notes {
    /// Notes that something was done with an entry.
    pub(crate) fn add(&mut self, entry: &[u8], what: impl Into<String>) {
        if self.list.len() < NOTE_LIMIT {
            let entry = crate::error::printable(entry);
            self.list.push(Neutralised { entry, what: what.into() });
        } else {
            self.more += 1;
        }
    }

    /// The list, closed by a line for those that are only counted.
    pub(crate) fn into_list(mut self) -> Vec<Neutralised> {
        if self.more > 0 {
            let what = format!("{} more entries were neutralised", self.more);
            self.list.push(Neutralised { entry: "…".into(), what });
        }
        self.list
    }
}

/// Opens a folder to work beneath it.
pub(crate) fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens something beneath a root as the image would see it: links lead at most to the root.
pub(crate) fn open_in_root(
    root: impl AsFd,
    path: &[u8],
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { &b"."[..] } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// The id that a container calls `id`, which lies `base` above; nobody where it is none of its ids.
pub(crate) fn unshift(id: u32, base: u32) -> u32 {
    match id.checked_sub(base) {
        _ if base == 0 => id,
        Some(id) if id < 65536 => id,
        _ => 65534,
    }
}

/// What lies in the root for what a container calls `id`.
pub(crate) fn shift(id: u32, base: u32) -> u32 {
    match base {
        0 => id,
        base if id < 65536 => base + id,
        base => base + 65534,
    }
}
