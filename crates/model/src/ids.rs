//! User ids of containers: ranges of 65,536 host ids that Volt gives out and records.

use serde::{Deserialize, Serialize};

/// A range of host ids that a user namespace maps its 0..65536 to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdRange {
    base: u32,
}

impl IdRange {
    /// How many ids a range has.
    pub const SIZE: u32 = 65_536;
    /// The first base: where systemd's range for containers begins (<https://systemd.io/UIDS-GIDS>).
    pub const FIRST: u32 = 0x0008_0000;
    /// The last base of systemd's range for containers.
    pub const LAST: u32 = 0x6FFF_0000;

    /// The range at `base`, if that is one of systemd's container ranges.
    #[must_use]
    pub fn new(base: u32) -> Option<Self> {
        let fits = (Self::FIRST..=Self::LAST).contains(&base) && base.is_multiple_of(Self::SIZE);
        fits.then_some(Self { base })
    }

    /// The host id of the container's id 0.
    #[must_use]
    pub fn base(self) -> u32 {
        self.base
    }

    /// The ranges in the order in which they are to be tried for `name`: from a place that the name gives (so that
    /// a container made again gets its old range), around the circle.
    pub fn candidates(name: &str) -> impl Iterator<Item = Self> {
        let count = (Self::LAST - Self::FIRST) / Self::SIZE + 1;
        // FNV-1a: stable over builds and releases, which the standard hasher is not.
        let hash = name
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let first = hash % count;
        (0..count).map(move |i| Self { base: Self::FIRST + (first + i) % count * Self::SIZE })
    }

    /// Whether any id of `start..start+length` lies in the range.
    #[must_use]
    pub fn overlaps(self, start: u64, length: u64) -> bool {
        let (own, end) = (u64::from(self.base), u64::from(self.base) + u64::from(Self::SIZE));
        start < end && own < start.saturating_add(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_all_ranges_once() {
        let all: std::collections::BTreeSet<_> = IdRange::candidates("web").collect();
        assert_eq!(all.len(), ((IdRange::LAST - IdRange::FIRST) / IdRange::SIZE + 1) as usize);
        assert!(all.iter().all(|r| IdRange::new(r.base()).is_some()));
        assert_eq!(IdRange::candidates("web").next(), IdRange::candidates("web").next());
    }

    #[test]
    fn overlap() {
        let range = IdRange::new(524_288).unwrap();
        assert!(range.overlaps(524_288 + 65_535, 1));
        assert!(!range.overlaps(524_288 + 65_536, 10));
        assert!(range.overlaps(100_000, 500_000));
        assert!(!range.overlaps(100_000, 65_536));
    }
}
