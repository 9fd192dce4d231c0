//! Bringing a stack up: what is there becomes what the document wants, or stays as it was.

use super::act::{Doer, Replaced};
use super::plan::Planned;
use super::steps::{self, OnError};
use super::{Kind, Options, Plan, Record};
use crate::error::{Error, Result};
use crate::plain::Written;
use crate::{Engine, Progress};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use volt_compose::plan::Existing;
use volt_compose::stack::Workload;
use volt_compose::{Stack, names};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::secret::Hidden;
use volt_model::state::State;

/// How often somebody who waits for the health of a stack looks whether anybody still waits for him.
const LOOK: Duration = Duration::from_millis(20);

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Up {
    /// The stack as one file of Compose's form that needs no other.
    pub document: String,
    /// The files that it was made of, for people.
    pub files: Vec<String>,
    /// Which services, and how.
    pub options: Options,
    /// The content of the stack's own secrets, by key; what is not here stays as it is.
    pub secrets: BTreeMap<String, Hidden>,
    /// What was done stays where a step fails.
    pub no_rollback: bool,
    /// Images that are not there are got later: a plan leaves them out of account.
    pub images_later: bool,
    /// What was started must run in the end, and be well where it has a check of its health.
    pub wait: bool,
}

impl Engine {
    /// Brings a stack up. Returns what was done.
    ///
    /// # Errors
    /// `InvalidConfig` for a document that is wrong, `Dependency` for what can't be done yet, `NotFound` for an image, network or
    /// volume that it uses, all at once; then nothing was changed. Else that of the step that failed, and all is as it was, as far as the
    /// error says nothing else.
    pub fn compose_up(&self, name: &Name, up: &Up, progress: &dyn Progress) -> Result<Plan> {
        let stack = self.read_stack(name, up)?;
        let _lock = self.lock_stack(name, progress)?;
        self.settle_stack(&stack)?;
        let planned = self.plan_up(&stack, up, false)?;
        let before = self.stack_record(name).ok().flatten();
        let was_at_boot = self.target_is_at_boot(name);
        let wanted = Record {
            version: 1,
            name: name.clone(),
            document: up.document.clone(),
            files: up.files.clone(),
            disabled: up.options.disabled.clone(),
            created: before.as_ref().map_or_else(Timestamp::now, |record| record.created),
        };
        // First, for what fails here has changed nothing that is wanted.
        self.keep_owned(name, &planned.owned)?;
        // What one command needs is not all of a stack that is known already: other profiles may be up.
        let is_for_a_run = up.options.before.is_some() && before.is_some();
        if !is_for_a_run && before.as_ref() != Some(&wanted) {
            self.save_stack(&wanted)?;
        }
        let doer = Doer::new(self, &stack, &planned, up);
        let done = self.all_steps(&doer, &planned, up, progress);
        let (undo, later) = doer.into_ends();
        match done {
            Ok(()) => {
                let fewer = !later.is_empty();
                self.remove_replaced(later)?;
                if fewer && !up.options.no_start {
                    // The target wants who is there, and some are no more.
                    let new = self.write_stack_units(&stack)?;
                    self.target_up(name, new)?;
                }
                // All is up: what can't be removed now is when the stack comes up again.
                let swept = self.sweep_configs(name).and_then(|()| self.sweep_secrets(&stack));
                if let Err(error) = swept {
                    let error = error.chain().join(": ");
                    tracing::warn!(%name, error, "what the stack has no more is left");
                }
                Ok(planned.plan)
            }
            Err(error) if up.no_rollback => Err(error.hinted(
                "What was done stays: `volt compose up` goes on, `volt compose down` takes it away",
            )),
            Err(error) => {
                let old =
                    before.as_ref().and_then(|record| super::read(name, &record.document).ok());
                let mut failed = self.undo_steps(name, old.as_ref(), undo, progress);
                let restored = self.restore_stack(name, before.as_ref(), old.as_ref(), was_at_boot);
                failed.extend(restored.err().map(|error| error.chain().join(": ")));
                Err(undone(error, &failed))
            }
        }
    }

    fn all_steps(
        &self,
        doer: &Doer<'_>,
        planned: &Planned,
        up: &Up,
        progress: &dyn Progress,
    ) -> Result<()> {
        steps::run(&planned.plan, &|step, told| doer.act(step, told), OnError::Stop, progress)?;
        let is_nothing = planned.plan.steps.iter().all(|step| step.kind != Kind::Workload);
        if up.options.no_start || (up.options.before.is_some() && is_nothing) {
            return Ok(());
        }
        // Once more, for what had not its name again when the first was started.
        let new = self.write_stack_units(doer.stack)? || doer.tell_systemd()?;
        self.target_up(&doer.stack.name, new)?;
        if up.wait { self.await_all_run(doer.stack, &up.options, progress) } else { Ok(()) }
    }

    /// Removes what others have taken the place of, and what is too much.
    pub(super) fn remove_replaced(&self, all: Vec<Replaced>) -> Result<()> {
        for (old, by) in all {
            // They are of what has that name now.
            if let Some(name) = by.filter(|name| self.container_exists(name)) {
                self.cas().pass_snapshots(&old, &name)?;
            }
            match self.stack_delete(&old, Written::Kept) {
                Err(error) if error.kind != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// [`Self::all_run`], until nobody waits for it any more.
    fn await_all_run(
        &self,
        stack: &Stack,
        options: &Options,
        progress: &dyn Progress,
    ) -> Result<()> {
        let gone = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| self.all_run(stack, options, &gone));
            while !waits.is_finished() {
                gone.fetch_or(progress.cancelled(), Ordering::Relaxed);
                std::thread::sleep(LOOK);
            }
            waits.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Waits until all that has a check of its health is well, and refuses to call a stack up of which something that is to run
    /// doesn't.
    fn all_run(&self, stack: &Stack, options: &Options, gone: &AtomicBool) -> Result<()> {
        let chosen = volt_compose::plan::chosen(stack, options);
        for (key, service) in stack.services.iter().filter(|(key, _)| chosen.contains(*key)) {
            for replica in 1..=service.replicas {
                let name = names::of_replica(stack, key, replica);
                if !matches!(service.workload, Workload::Task(_)) {
                    self.await_health_of(&name, gone)?;
                }
                let state = self.stack_state(&name)?;
                let ended_well = state == State::Stopped && self.ended_well(&name) == Some(true);
                if !ended_well
                    && matches!(state, State::Stopped | State::Failed | State::Restarting)
                {
                    let title = format!("{name} does not run: it is {state}");
                    return Err(Error::new(ErrorKind::General, title)
                        .about(&name)
                        .hinted(format!("See `volt logs {name}`")));
                }
            }
        }
        Ok(())
    }

    /// Waits until a workload is well that runs and has a check of its health.
    fn await_health_of(&self, name: &Name, gone: &AtomicBool) -> Result<()> {
        let view = self.health_view(&self.subject(name)?);
        if self.stack_state(name)?.is_alive() && view.check.is_some() {
            self.await_healthy(name, gone)?;
        }
        Ok(())
    }

    /// Makes what is written of a stack what it was before.
    fn restore_stack(
        &self,
        name: &Name,
        before: Option<&Record>,
        old: Option<&Stack>,
        was_at_boot: bool,
    ) -> Result<()> {
        match before.zip(old) {
            Some((record, old)) => {
                self.save_stack(record)?;
                self.write_stack_units(old)?;
                if was_at_boot {
                    return Ok(());
                }
                // With the target goes all of it.
                let runs = |one: &Existing| one.state.is_up();
                match self.stack_have(name)?.workloads.values().any(runs) {
                    true => self.target_at_boot(name, false),
                    false => self.target_down(name),
                }
            }
            None => {
                let left = self.stack_have(name)?;
                // Something of it is left that nothing was known of, or that could not be undone: it is the new stack's.
                if !left.workloads.is_empty() || !left.secrets.is_empty() {
                    return Ok(());
                }
                self.remove_stack_units(name)?;
                self.forget_stack(name)
            }
        }
    }
}

/// The error of an `up` that was undone, with what could not be.
fn undone(error: Error, failed: &[String]) -> Error {
    let hint = error.hint.clone().map(|hint| format!("{hint}. ")).unwrap_or_default();
    if failed.is_empty() {
        return error.hinted(format!("{hint}All is as it was before"));
    }
    error.hinted(format!("{hint}Not all could be undone: {}", failed.join("; ")))
}
