//! Doing the steps of a plan: each as soon as those that it names are done, several at a time.

use crate::Progress;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use volt_compose::plan::{Action, Plan, Step};
use volt_model::kind::ErrorKind;

/// The most that are done at the same time.
const AT_ONCE: usize = 16;
/// How often is looked whether anybody still wants it.
const LOOK: Duration = Duration::from_millis(50);

/// What is done after a step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    /// Nothing more is begun.
    Stop,
    /// The others are done all the same.
    GoOn,
}

/// How a step is done. It is told when nobody wants it any more, and may say what people should know.
pub(super) type Act<'a> = dyn Fn(&Step, &Told<'_>) -> Result<()> + Sync + 'a;

/// What a step may say and hear on its way.
pub(super) struct Told<'a> {
    say: &'a Sender<String>,
    /// Set when the steps are to end.
    pub(super) gone: &'a AtomicBool,
}

impl Told<'_> {
    /// Tells people what is waited for.
    pub(super) fn say(&self, text: impl Into<String>) {
        // Nobody hears it when all is over.
        drop(self.say.send(text.into()));
    }

    /// Whether the steps are to end.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// Does the steps of a plan. Returns with the first thing that went wrong, when nothing is under way any more.
pub(super) fn run(
    plan: &Plan,
    act: &Act<'_>,
    on_error: OnError,
    progress: &dyn Progress,
) -> Result<()> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    let board = Board {
        plan,
        on_error,
        state: Mutex::default(),
        changed: Condvar::new(),
        gone: AtomicBool::new(false),
    };
    let (say, heard) = channel();
    std::thread::scope(|scope| {
        for _ in 0..plan.steps.len().min(AT_ONCE) {
            let (board, say) = (&board, say.clone());
            scope.spawn(move || board.work(act, &say));
        }
        drop(say);
        board.tell(&heard, progress);
    });
    let state = board.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failed {
        Some(error) => Err(error),
        None if state.done.len() < plan.steps.len() => {
            Err(Error::new(ErrorKind::Interrupted, "Nobody waits for it any more"))
        }
        None => Ok(()),
    }
}

/// Which steps are begun and done.
struct Board<'a> {
    plan: &'a Plan,
    on_error: OnError,
    state: Mutex<Standing>,
    changed: Condvar,
    gone: AtomicBool,
}

#[derive(Default)]
struct Standing {
    begun: BTreeSet<usize>,
    done: BTreeSet<usize>,
    failed: Option<Error>,
}

impl Board<'_> {
    fn state(&self) -> MutexGuard<'_, Standing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one step after the other until there is none left for this thread.
    fn work(&self, act: &Act<'_>, say: &Sender<String>) {
        while let Some(number) = self.next() {
            let step = &self.plan.steps[number];
            let told = Told { say, gone: &self.gone };
            told.say(format!("{} {} {}", word(step.action).0, step.kind, step.name));
            let began = Instant::now();
            let outcome = act(step, &told);
            if outcome.is_ok() {
                let seconds = began.elapsed().as_secs_f64();
                told.say(format!(
                    "{} {} {} ({seconds:.1} s)",
                    word(step.action).1,
                    step.kind,
                    step.name
                ));
            }
            self.end(number, outcome);
        }
    }

    /// The next step that may be begun; waited for. None when there is nothing left to begin.
    fn next(&self) -> Option<usize> {
        let mut state = self.state();
        loop {
            let over = self.gone.load(Ordering::Relaxed);
            if over || state.begun.len() == self.plan.steps.len() {
                return None;
            }
            let ready = |number: &usize| {
                !state.begun.contains(number)
                    && self.plan.steps[*number]
                        .after
                        .iter()
                        .all(|before| state.done.contains(before))
            };
            if let Some(number) = (0..self.plan.steps.len()).find(ready) {
                state.begun.insert(number);
                return Some(number);
            }
            state =
                self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn end(&self, number: usize, outcome: Result<()>) {
        let mut state = self.state();
        match outcome {
            Ok(()) => drop(state.done.insert(number)),
            Err(error) => {
                if self.on_error == OnError::GoOn {
                    state.done.insert(number);
                } else {
                    self.gone.store(true, Ordering::Relaxed);
                }
                // Those that gave up because of another tell less.
                let tells_more = error.kind != ErrorKind::Interrupted;
                if state
                    .failed
                    .as_ref()
                    .is_none_or(|known| known.kind == ErrorKind::Interrupted && tells_more)
                {
                    state.failed = Some(error);
                } else {
                    tracing::warn!(error = %error.chain().join(": "), "a further step failed");
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Passes on what the threads say until they have ended, and tells them when nobody wants it any more.
    fn tell(&self, heard: &Receiver<String>, progress: &dyn Progress) {
        loop {
            match heard.recv_timeout(LOOK) {
                Ok(text) => progress.step(&text),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if progress.cancelled() {
                self.gone.store(true, Ordering::Relaxed);
                self.changed.notify_all();
            }
        }
    }
}

/// What is said of a step that begins, and of one that is done.
fn word(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::Create => ("Creating", "Created"),
        Action::Recreate => ("Recreating", "Recreated"),
        Action::Start => ("Starting", "Started"),
        Action::Unpause => ("Unpausing", "Unpaused"),
        Action::Restart => ("Restarting", "Restarted"),
        Action::Stop => ("Stopping", "Stopped"),
        Action::Remove => ("Removing", "Removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;
    use volt_compose::plan::Kind;

    fn plan(after: &[&[usize]]) -> Plan {
        let step = |(number, after): (usize, &&[usize])| Step {
            action: Action::Start,
            kind: Kind::Workload,
            name: number.to_string(),
            key: String::new(),
            replica: 1,
            why: String::new(),
            after: after.iter().copied().collect(),
            waits: Vec::new(),
        };
        Plan { steps: after.iter().enumerate().map(step).collect(), notes: Vec::new() }
    }

    fn failing(at: &str, on_error: OnError) -> (Vec<String>, Result<()>) {
        let order = Mutex::new(Vec::new());
        let act = |step: &Step, _: &Told<'_>| {
            order.lock().unwrap().push(step.name.clone());
            if step.name == at { Err(Error::new(ErrorKind::Timeout, "no")) } else { Ok(()) }
        };
        let ended = run(&plan(&[&[], &[0], &[0], &[1, 2], &[3]]), &act, on_error, &Silent);
        (order.into_inner().unwrap(), ended)
    }

    #[test]
    fn each_after_those_that_it_names() {
        let (order, ended) = failing("", OnError::Stop);
        ended.unwrap();
        assert_eq!(
            (order.len(), order[0].as_str(), order[3].as_str(), order[4].as_str()),
            (5, "0", "3", "4")
        );
    }

    #[test]
    fn nothing_is_begun_after_a_failure_unless_it_is_to_go_on() {
        let (order, ended) = failing("0", OnError::Stop);
        assert_eq!((order.len(), ended.unwrap_err().kind), (1, ErrorKind::Timeout));
        let (order, ended) = failing("3", OnError::GoOn);
        assert_eq!((order.len(), ended.unwrap_err().kind), (5, ErrorKind::Timeout));
    }
}
