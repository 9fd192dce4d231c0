//! Which jobs ended how, on one connection.
//!
//! systemd tells the end of a job in a signal that may arrive before the caller has seen the reply that names the job.
//! So every end is noted as it comes, and a waiter looks there first.

use super::JobResult;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// How many ends without a waiter are remembered.
const REMEMBERED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<String, Vec<oneshot::Sender<JobResult>>>,
    ended: VecDeque<(String, JobResult)>,
    closed: bool,
}

impl Jobs {
    /// Notes the end of a job.
    pub(super) fn end(&self, job: String, result: &JobResult) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Two callers may wait for one job: systemd merges equal ones.
        for waiter in table.waiting.remove(&job).unwrap_or_default() {
            if waiter.send(result.clone()).is_err() {
                tracing::trace!(job, "nobody waits for this job any more");
            }
        }
        table.ended.push_back((job, result.clone()));
        if table.ended.len() > REMEMBERED {
            table.ended.pop_front();
        }
    }

    /// The connection is gone: nobody will hear of an end any more.
    pub(super) fn close(&self) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.closed = true;
        table.waiting.clear();
    }

    /// Gets the end of a job; an error when the connection is gone.
    pub(super) fn wait(&self, job: &str) -> oneshot::Receiver<JobResult> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, result)) = table.ended.iter().find(|(ended, _)| ended == job) {
            if sender.send(result.clone()).is_err() {
                unreachable!("the receiver is here");
            }
        } else if !table.closed {
            table.waiting.entry(job.to_owned()).or_default().push(sender);
        }
        receiver
    }
}
