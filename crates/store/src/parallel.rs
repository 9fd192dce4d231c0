//! Work on many things by as many threads as there are processors.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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
