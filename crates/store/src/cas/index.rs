//! What was in the files of a folder when it was last stored, by what tells that they have not changed since.
//!
//! A cache: a file that is missing or broken costs time only. It is believed where inode, size and both times are the same
//! to the nanosecond, and where the change was long enough before the reading that another one would show. What is mapped and
//! dirty changes without a new time, so whoever writes one syncs the folder first.

use crate::digest::Digest;
use crate::error::Result;
use rustix::fs::Stat;
use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use volt_host::files;

/// The first bytes, with the version.
const MAGIC: &[u8; 8] = b"voltidx1";
/// The length of a record: stamp and digest.
const RECORD: usize = 48 + 32;
/// A change within this time of the reading may have come after it and show the same time, in nanoseconds.
const TICK: i128 = 50_000_000;
/// The largest index that is read, in bytes: five million files.
const LIMIT: usize = 400 << 20;

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([u8; 48]);

impl std::hash::Hash for Stamp {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.inode());
    }
}

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        let mut bytes = [0; 48];
        let times = |seconds: i64, nanoseconds: u64| {
            (i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).to_le_bytes()
        };
        bytes[..8].copy_from_slice(&stat.st_ino.to_le_bytes());
        bytes[8..16].copy_from_slice(&stat.st_size.to_le_bytes());
        bytes[16..32].copy_from_slice(&times(stat.st_mtime, stat.st_mtime_nsec));
        bytes[32..].copy_from_slice(&times(stat.st_ctime, stat.st_ctime_nsec));
        Self(bytes)
    }

    pub(super) fn inode(&self) -> u64 {
        u64::from_le_bytes(self.0[..8].try_into().expect("it begins with eight bytes"))
    }

    fn changed(&self) -> i128 {
        i128::from_le_bytes(self.0[32..].try_into().expect("sixteen bytes are left"))
    }
}

/// Stamps with what was in the files.
#[derive(Debug, Default)]
pub(super) struct Index(HashMap<Stamp, Digest>);

impl Index {
    /// Reads one; an empty one where there is none.
    pub(super) fn read(path: &Path) -> Self {
        let bytes = files::read_bounded(path, LIMIT).unwrap_or_default();
        let Some(records) = bytes.strip_prefix(MAGIC) else { return Self::default() };
        let digests = records.chunks_exact(RECORD).map(|record| {
            let (stamp, digest) = record.split_at(48);
            let stamp = Stamp(stamp.try_into().expect("split there"));
            (stamp, Digest::from_bytes(digest.try_into().expect("the rest of a record")))
        });
        Self(digests.collect())
    }

    /// What was in the file with this stamp.
    pub(super) fn digest(&self, stamp: &Stamp) -> Option<Digest> {
        self.0.get(stamp).copied()
    }
}

/// An index of what is read from now on, as it is to be written.
#[derive(Debug)]
pub(super) struct Stamps {
    records: Vec<u8>,
    begun: i128,
}

impl Stamps {
    pub(super) fn begin() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { records: Vec::new(), begun: i128::try_from(now.as_nanos()).unwrap_or(0) }
    }

    /// Remembers what is in a file, unless it changed too lately for that.
    pub(super) fn add(&mut self, stamp: Stamp, digest: Digest) {
        if stamp.changed() + TICK < self.begun {
            self.records.extend_from_slice(&stamp.0);
            self.records.extend_from_slice(digest.as_bytes());
        }
    }

    /// Takes what another one knows.
    pub(super) fn merge(&mut self, other: Self) {
        self.records.extend(other.records);
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        Ok(files::write_volatile(path, &[MAGIC, &self.records[..]].concat(), 0o600)?)
    }
}
