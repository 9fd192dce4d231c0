//! What is going on: the running operations for SIGUSR1, and how long nothing has been going on for the idle exit.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The operations under way in this process.
#[derive(Clone, Debug)]
pub struct Activity {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<tokio::sync::Notify>,
}

#[derive(Debug)]
struct Inner {
    next: u64,
    running: BTreeMap<u64, Entry>,
    last: Instant,
}

#[derive(Debug)]
struct Entry {
    request: String,
    operation: &'static str,
    who: String,
    resource: String,
    doing: String,
    since: Instant,
}

/// One running operation as it is told to people.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Its request.
    pub request: String,
    /// The operation's id.
    pub operation: &'static str,
    /// Who asked.
    pub who: String,
    /// About what.
    pub resource: String,
    /// The step it is at; empty where it has told none.
    pub doing: String,
    /// For how long it has run.
    pub age: Duration,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, operation, who, resource, doing, age } = self;
        f.write_str(operation)?;
        if !resource.is_empty() {
            write!(f, " {resource}")?;
        }
        write!(f, " for {who}, request {request}, {:.1} s", age.as_secs_f64())?;
        if !doing.is_empty() {
            write!(f, ": {doing}")?;
        }
        Ok(())
    }
}

impl Default for Activity {
    fn default() -> Self {
        let inner = Inner { next: 0, running: BTreeMap::new(), last: Instant::now() };
        Self { inner: Arc::new(Mutex::new(inner)), changed: Arc::default() }
    }
}

impl Activity {
    /// Counts an operation as running until the answer is dropped.
    #[must_use]
    pub fn begin(&self, request: &str, operation: &'static str, who: &str) -> Running {
        let mut inner = self.lock();
        inner.next += 1;
        let key = inner.next;
        let entry = Entry {
            request: request.to_owned(),
            operation,
            who: who.to_owned(),
            resource: String::new(),
            doing: String::new(),
            since: Instant::now(),
        };
        inner.running.insert(key, entry);
        drop(inner);
        Running { activity: self.clone(), key }
    }

    /// What runs now, the oldest first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Snapshot> {
        let inner = self.lock();
        let told = inner.running.values().map(|e| Snapshot {
            request: e.request.clone(),
            operation: e.operation,
            who: e.who.clone(),
            resource: e.resource.clone(),
            doing: e.doing.clone(),
            age: e.since.elapsed(),
        });
        told.collect()
    }

    /// How long nothing has run; none while something does.
    #[must_use]
    pub fn idle_for(&self) -> Option<Duration> {
        let inner = self.lock();
        inner.running.is_empty().then(|| inner.last.elapsed())
    }

    /// Returns when nothing runs.
    pub async fn quiet(&self) {
        loop {
            let changed = self.changed.notified();
            if self.idle_for().is_some() {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic cannot leave the map half-changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running operation; it has ended when this is dropped.
#[derive(Debug)]
pub struct Running {
    activity: Activity,
    key: u64,
}

impl Running {
    /// Says what it is about.
    pub fn resource(&self, name: &str) {
        if let Some(entry) = self.activity.lock().running.get_mut(&self.key) {
            name.clone_into(&mut entry.resource);
        }
    }

    /// Says which step it is at.
    pub fn doing(&self, step: &str) {
        if let Some(entry) = self.activity.lock().running.get_mut(&self.key) {
            step.clone_into(&mut entry.doing);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut inner = self.activity.lock();
        inner.running.remove(&self.key);
        inner.last = Instant::now();
        drop(inner);
        self.activity.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_told_and_what_ended_is_not() {
        let activity = Activity::default();
        let pull = activity.begin("r1", "image_pull", "root (0)");
        pull.resource("debian:trixie");
        pull.doing("Unpacking");
        let told = activity.snapshot()[0].to_string();
        assert!(told.starts_with("image_pull debian:trixie for root (0), request r1, "), "{told}");
        assert!(told.ends_with(": Unpacking"), "{told}");
        assert_eq!(activity.idle_for(), None);
        drop(pull);
        assert!(activity.snapshot().is_empty() && activity.idle_for().is_some());
    }
}
