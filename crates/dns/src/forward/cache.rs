//! What was found, for as long as it is true, and never more than so many bytes of it.

use super::message::Answer;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an entry takes besides key and answer, about.
const ENTRY: usize = 160;
/// An answer that takes more than this part of everything is not kept.
const LARGEST: usize = 64;

/// Answers by what was asked.
#[derive(Debug)]
pub(super) struct Cache {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// The keys in the order in which they go: whoever was asked for meanwhile goes round once more.
    order: VecDeque<Arc<[u8]>>,
    room: usize,
    taken: usize,
}

#[derive(Debug)]
struct Entry {
    /// Nothing where nobody answered.
    answer: Option<Arc<Answer>>,
    came: Instant,
    ends: Instant,
    used: bool,
    size: usize,
}

impl Cache {
    /// An empty one that takes at most `room` bytes.
    pub(super) fn new(room: usize) -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new(), room, taken: 0 }
    }

    /// What was found, and how old it is in seconds.
    pub(super) fn get(&mut self, key: &[u8], now: Instant) -> Option<(Option<Arc<Answer>>, u32)> {
        let entry = self.entries.get_mut(key).filter(|entry| now < entry.ends)?;
        entry.used = true;
        let age = now.saturating_duration_since(entry.came).as_secs();
        Some((entry.answer.clone(), u32::try_from(age).unwrap_or(u32::MAX)))
    }

    /// Keeps what was found.
    pub(super) fn put(
        &mut self,
        key: Vec<u8>,
        answer: Option<Arc<Answer>>,
        life: Duration,
        now: Instant,
    ) {
        let size = 2 * key.len() + answer.as_ref().map_or(0, |answer| answer.size()) + ENTRY;
        let Some(ends) = now.checked_add(life).filter(|_| !life.is_zero()) else { return };
        if size > self.room / LARGEST {
            return;
        }
        let entry = Entry { answer, came: now, ends, used: false, size };
        self.taken += size;
        let key: Arc<[u8]> = key.into();
        match self.entries.insert(Arc::clone(&key), entry) {
            Some(old) => self.taken -= old.size,
            None => self.order.push_back(key),
        }
        while self.taken > self.room {
            self.drop_one(now);
        }
    }

    fn drop_one(&mut self, now: Instant) {
        while let Some(key) = self.order.pop_front() {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            if entry.used && now < entry.ends {
                entry.used = false;
                self.order.push_back(key);
                continue;
            }
            self.taken -= entry.size;
            self.entries.remove(&key);
            return;
        }
        // Without keys there are no entries.
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    #[test]
    fn it_is_kept_for_as_long_as_it_is_true() {
        let (mut cache, begun) = (Cache::new(1 << 20), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        cache.put(key(1), None, Duration::from_secs(10), at(0));
        cache.put(key(2), None, Duration::ZERO, at(0));
        assert_eq!(cache.get(&key(1), at(7)), Some((None, 7)));
        assert_eq!(cache.get(&key(1), at(10)), None);
        assert_eq!(cache.get(&key(2), at(0)), None);
        cache.put(key(1), None, Duration::from_secs(10), at(20));
        assert_eq!(cache.get(&key(1), at(21)), Some((None, 1)));
        assert_eq!(cache.order.len(), 1);
    }

    #[test]
    fn it_never_takes_more_than_it_may_and_keeps_what_is_asked_for() {
        let (mut cache, now) = (Cache::new(64 << 10), Instant::now());
        for number in 0..10_000 {
            cache.put(key(number), None, Duration::from_secs(60), now);
            assert!(cache.taken <= cache.room && cache.order.len() == cache.entries.len());
            assert!(cache.get(&key(0), now).is_some(), "lost at {number}");
        }
        assert!(cache.get(&key(9_999), now).is_some() && cache.get(&key(1), now).is_none());
        let sizes: usize = cache.entries.values().map(|entry| entry.size).sum();
        assert_eq!(cache.taken, sizes);
    }
}
