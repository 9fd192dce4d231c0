//! How a long operation tells its caller where it is, and learns that nobody wants it any more.

use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

/// How often people are told how far a work of several threads is, and whether anybody still wants it is asked.
const TELL: Duration = Duration::from_millis(50);

/// Does a work in so many threads, and calls `look` again and again meanwhile, from this one: who hears of progress need not be
/// of many threads. Why any of them ended early; those that gave up because of another come last.
pub fn at_once<E: Send>(
    threads: usize,
    work: &(dyn Fn() -> Result<(), E> + Sync),
    look: &mut dyn FnMut(),
    gave_up: fn(&E) -> bool,
) -> Option<E> {
    let failures: Vec<E> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            look();
            std::thread::sleep(TELL);
        }
        let join = |thread: ScopedJoinHandle<'_, Result<(), E>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).err()
        };
        threads.into_iter().filter_map(join).collect()
    });
    let (gave_up, failed): (Vec<_>, Vec<_>) = failures.into_iter().partition(gave_up);
    failed.into_iter().chain(gave_up).next()
}

/// What a caller hears of a long operation. Called often, from the thread that does the work: be quick.
pub trait Progress {
    /// A step began: a few words such as `Retrieving libc6`.
    fn step(&self, text: &str);

    /// Bytes done so far, and of how many in all where that is known.
    fn bytes(&self, done: u64, total: Option<u64>);

    /// Whether to give up; what was begun is then undone and [`crate::Error::Cancelled`] returned.
    fn cancelled(&self) -> bool {
        false
    }

    /// The same for other threads, which may ask for as long as they wait for somebody.
    fn cancellation(&self) -> Cancellation {
        Arc::new(|| false)
    }
}

/// What came of something, unless it failed because nobody wants it any more.
pub(crate) fn unless_over<T>(done: crate::Result<T>, progress: &dyn Progress) -> crate::Result<T> {
    match done {
        Err(_) if progress.cancelled() => Err(crate::Error::Cancelled),
        done => done,
    }
}

/// Says whether to give up.
pub type Cancellation = Arc<dyn Fn() -> bool + Send + Sync>;

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _text: &str) {}
    fn bytes(&self, _done: u64, _total: Option<u64>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_first_own_failure_is_told() {
        let number = AtomicUsize::new(0);
        let work = || match number.fetch_add(1, Ordering::Relaxed) {
            0 => Err("gave up"),
            1 => Ok(()),
            _ => Err("broke"),
        };
        let mut looks = 0;
        let found = at_once(3, &work, &mut || looks += 1, |error| *error == "gave up");
        assert_eq!(found, Some("broke"));
        assert_eq!(at_once(2, &|| Ok::<_, ()>(()), &mut || looks += 1, |()| false), None);
    }
}
