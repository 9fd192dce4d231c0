//! Taking a stack away: who depends on others first, then networks, and volumes where that is wanted.

use super::found::has_replica;
use super::hooks::Gone;
use super::steps::{self, OnError, Told};
use super::{Kind, Options, Plan, Step};
use crate::error::Result;
use crate::plain::Written;
use crate::{Engine, Progress, workload};
use std::time::Duration;
use volt_compose::{Stack, plan};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::state::State;

impl Engine {
    /// Stops and removes what belongs to a stack. Returns what was done.
    ///
    /// # Errors
    /// `NotFound` where there is nothing of it; the first that could not be removed, when all the rest is gone.
    pub fn compose_down(
        &self,
        name: &Name,
        options: &Options,
        timeout: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Plan> {
        let _lock = self.lock_stack(name, progress)?;
        let kept = match self.kept_stack(name) {
            // What it was made of can't be read: all that belongs to it goes.
            Err(error) if error.kind == ErrorKind::InvalidConfig => None,
            other => other?,
        };
        let mut options = options.clone();
        options.remove_orphans |= kept.is_none();
        options.disabled = self
            .stack_record(name)
            .ok()
            .flatten()
            .map(|record| record.disabled)
            .unwrap_or_default();
        let is_kept = kept.is_some() || self.stack_dir(name).exists();
        let stack = kept.unwrap_or_else(|| super::empty(name));
        self.settle_stack(&stack)?;
        let have = self.stack_have(name)?;
        if !is_kept && have == plan::Have::default() {
            return Err(super::no_stack(name));
        }
        self.check_services(&stack, &options)?;
        let plan = plan::down(&stack, &have, &options);
        if options.services.is_empty() {
            self.target_at_boot(name, false)?;
            self.remove_runs(name)?;
        }
        let act = |step: &Step, told: &Told<'_>| match self.take_away(
            &stack,
            step,
            (&options, timeout),
            &|| told.is_gone(),
        ) {
            // Somebody else was faster.
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let removed = steps::run(&plan, &act, OnError::GoOn, progress);
        let left = self.stack_have(name)?;
        let nothing =
            left.workloads.is_empty() && left.networks.is_empty() && left.secrets.is_empty();
        if options.services.is_empty() && nothing {
            if options.volumes {
                self.remove_orphaned_volumes(&|owner| has_replica(&stack, owner))?;
            }
            self.remove_stack_units(name)?;
            self.forget_stack(name)?;
        } else {
            self.write_stack_units(&stack)?;
        }
        removed.map(|()| plan)
    }

    fn take_away(
        &self,
        stack: &Stack,
        step: &Step,
        (options, timeout): (&Options, Option<Duration>),
        gone: Gone<'_>,
    ) -> Result<()> {
        let Ok(name) = step.name.parse::<Name>() else { return Ok(()) };
        match step.kind {
            Kind::Network => self.net_delete(&name),
            Kind::Volume => self.volume_delete(&name),
            Kind::Secret => self.drop_secret(&stack.name, &name),
            Kind::Workload => {
                let spec = match self.kind_of(&name) {
                    workload::Kind::Container => Some(self.spec(&name)?),
                    _ => None,
                };
                if self.stack_state(&name)? == State::Running {
                    self.run_last_hooks(stack, &step.key, &name, gone);
                }
                self.stack_stop(&name, timeout)?;
                self.stack_delete(&name, Written::removed_if(options.volumes))?;
                if let Some(spec) = spec.filter(|_| options.volumes) {
                    self.remove_image_volumes(&spec);
                }
                Ok(())
            }
        }
    }
}
