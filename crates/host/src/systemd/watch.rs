//! News of units, to be read one by one by a blocking caller.

use super::{ActiveState, Error, JobResult, Result};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// How many events wait for a slow reader before some are lost (and said to be).
const QUEUE: usize = 4096;

/// Something happened to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitEvent {
    /// The unit; empty for `Missed` and `Reloaded`.
    pub unit: String,
    /// What happened.
    pub change: UnitChange,
}

/// What happened to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitChange {
    /// Its state is now this. The same state may be told more than once.
    State {
        /// Its state.
        active: ActiveState,
        /// The state in the words of its type.
        sub: String,
    },
    /// systemd loaded it.
    Loaded,
    /// systemd forgot it.
    Unloaded,
    /// A job of it ended so.
    JobEnded(JobResult),
    /// systemd has read its files again.
    Reloaded,
    /// The reader was too slow and events were lost: look at the units themselves.
    Missed,
}

/// A subscription; ends when dropped.
#[derive(Debug)]
pub struct UnitWatch {
    events: Receiver<UnitEvent>,
    /// Ends the tasks that feed us.
    _feed: Vec<AbortOnDrop>,
}

/// Ends a task when dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl UnitWatch {
    pub(super) fn new() -> (Feed, Self) {
        let (sender, events) = sync_channel(QUEUE);
        (Feed { sender, missed: false }, Self { events, _feed: Vec::new() })
    }

    pub(super) fn fed_by(mut self, tasks: Vec<AbortOnDrop>) -> Self {
        self._feed = tasks;
        self
    }

    /// The next event; `None` when none came in this time; `NoBus` when no more will ever come.
    pub fn next(&self, wait: Duration) -> Result<Option<UnitEvent>> {
        match self.events.recv_timeout(wait) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Error::NoBus { reason: "the connection was closed".into() })
            }
        }
    }
}

/// The other end of a `UnitWatch`.
#[derive(Debug)]
pub(super) struct Feed {
    sender: SyncSender<UnitEvent>,
    missed: bool,
}

impl Feed {
    /// False when nobody reads any more. Never blocks: what feeds us serves others too.
    pub(super) fn send(&mut self, event: UnitEvent) -> bool {
        if self.missed {
            let notice = UnitEvent { unit: String::new(), change: UnitChange::Missed };
            match self.sender.try_send(notice) {
                Ok(()) => self.missed = false,
                Err(TrySendError::Full(_)) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        match self.sender.try_send(event) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed = true;
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
