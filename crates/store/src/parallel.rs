//! Work on many things by as many threads as there are processors.

use crate::error::{Error, Result};
use crate::progress::Progress;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often who waits for others asks whether anybody still waits for it.
pub(crate) const ASK: Duration = Duration::from_millis(50);

/// How many threads read and hash.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Those of which `is_meant` says so, in their order. An error ends it.
pub(crate) fn find<'a, T: Sync>(
    all: &'a [T],
    is_meant: &(dyn Fn(&T) -> Result<bool> + Sync),
) -> Result<Vec<&'a T>> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(number) else { return Ok(()) };
            match is_meant(one) {
                Ok(false) => {}
                Ok(true) => found.lock().unwrap_or_else(PoisonError::into_inner).push(number),
                Err(error) => {
                    next.store(all.len(), Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads()).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        let failed = threads.into_iter().filter_map(|thread| join(thread).err());
        // Who gave up because of another has less to say.
        let worst = failed.reduce(|one, other| match one {
            Error::Cancelled => other,
            one => one,
        });
        worst.map_or(Ok(()), Err)
    })?;
    let mut numbers = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| &all[number]).collect())
}

/// Has something done by another thread, while this one asks whether it is still wanted; `give_up` is to end it when it is not.
pub(crate) fn meanwhile<T: Send>(
    work: impl FnOnce() -> T + Send,
    progress: &dyn Progress,
    give_up: &dyn Fn(),
) -> T {
    let (alive, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        let working = scope.spawn(move || {
            let _alive = alive;
            work()
        });
        while is_done.recv_timeout(ASK) == Err(RecvTimeoutError::Timeout) {
            if progress.cancelled() {
                give_up();
            }
        }
        working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What can be read until it is over.
pub(crate) struct Until<'a, R> {
    pub(crate) inner: R,
    pub(crate) is_over: &'a dyn Fn() -> bool,
}

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if (self.is_over)() {
            return Err(std::io::Error::other("nobody waits for it"));
        }
        self.inner.read(buffer)
    }
}

/// Places for what waits to be worked on.
pub(crate) struct Room {
    free: Mutex<usize>,
    more: Condvar,
}

impl Room {
    pub(crate) fn new(places: usize) -> Self {
        Self { free: Mutex::new(places), more: Condvar::new() }
    }

    /// Takes a place as soon as there is one; false where there is none for so long.
    pub(crate) fn enter(&self, wait: Duration) -> bool {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.more.wait_timeout_while(free, wait, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_in = *free > 0;
        *free -= usize::from(is_in);
        is_in
    }

    /// Gives a place back.
    pub(crate) fn leave(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn in_order_or_the_error() {
        let all: Vec<u32> = (0..1000).collect();
        let even = super::find(&all, &|number| Ok(number % 2 == 0)).unwrap();
        assert_eq!(even.len(), 500);
        assert!(even.is_sorted());
        let error = |_: &u32| Err(crate::Error::Cancelled);
        assert!(super::find(&all, &error).is_err());
    }
}
