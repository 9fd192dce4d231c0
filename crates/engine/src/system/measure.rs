//! Measuring folders: one walk at a time in a process, and whoever waited for a walk that began after he came shares what it found.
//! So asking over and over, which any user may, costs no more than walking over and over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use volt_host::files;

/// How long what was found is kept for those who wait.
const KEPT: Duration = Duration::from_secs(60);

/// When the last walk of a folder began, and what it found.
static WALKS: Mutex<BTreeMap<PathBuf, (Instant, Option<u64>)>> = Mutex::new(BTreeMap::new());

/// Bytes on disk below `path` at some moment since the call; none where it can't be read.
pub(crate) fn size(path: &Path) -> Option<u64> {
    measured(path, || files::dir_size(path).ok().map(|usage| usage.bytes))
}

fn measured(path: &Path, walk: impl FnOnce() -> Option<u64>) -> Option<u64> {
    let came = Instant::now();
    let mut walks = WALKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((began, size)) = walks.get(path)
        && *began >= came
    {
        return *size;
    }
    let began = Instant::now();
    let size = walk();
    walks.retain(|_, (began, _)| began.elapsed() < KEPT);
    walks.insert(path.to_owned(), (began, size));
    size
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn many_who_ask_at_once_make_few_walks() {
        let path = Path::new("/no/such/folder/of/this/test");
        let (walks, under_way) = (AtomicU64::new(0), AtomicU64::new(0));
        let walk = || {
            assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0, "two walks at a time");
            std::thread::sleep(Duration::from_millis(200));
            under_way.fetch_sub(1, Ordering::SeqCst);
            Some(walks.fetch_add(1, Ordering::SeqCst))
        };
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| measured(path, walk));
            }
        });
        assert!(walks.load(Ordering::SeqCst) <= 3, "{walks:?}");
        let before = walks.load(Ordering::SeqCst);
        assert_eq!(measured(path, walk), Some(before), "what is asked later is looked at anew");
    }
}
