//! Starting, stopping and restarting what there is of a stack.

use super::act::Doer;
use super::steps::{self, OnError, Told};
use super::{Action, Options, Plan, Step};
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use std::time::Duration;
use volt_compose::{Stack, plan};
use volt_model::config::nearest;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// Starts what is there and doesn't run, in the order of the stack.
    ///
    /// # Errors
    /// `NotFound` for the stack or a service; that of the first start that failed.
    pub fn compose_start(
        &self,
        name: &Name,
        services: &[String],
        progress: &dyn Progress,
    ) -> Result<Plan> {
        self.turn_stack(name, Action::Start, (services, None), progress)
    }

    /// Stops what runs, against the order of the stack. As a whole it doesn't come up at boot then.
    ///
    /// # Errors
    /// `NotFound`; the first that could not be stopped, when all the rest is down.
    pub fn compose_stop(
        &self,
        name: &Name,
        services: &[String],
        timeout: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Plan> {
        self.turn_stack(name, Action::Stop, (services, timeout), progress)
    }

    /// Stops and starts what is there, one level of the stack after the other.
    ///
    /// # Errors
    /// As [`Engine::compose_start`].
    pub fn compose_restart(
        &self,
        name: &Name,
        services: &[String],
        timeout: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<Plan> {
        self.turn_stack(name, Action::Restart, (services, timeout), progress)
    }

    fn turn_stack(
        &self,
        name: &Name,
        action: Action,
        (services, timeout): (&[String], Option<Duration>),
        progress: &dyn Progress,
    ) -> Result<Plan> {
        let _lock = self.lock_stack(name, progress)?;
        let stack = self.kept_stack(name)?.ok_or_else(|| super::no_stack(name))?;
        let options = Options { services: services.to_vec(), ..Options::default() };
        self.check_services(&stack, &options)?;
        self.settle_stack(&stack)?;
        let have = self.stack_have(name)?;
        let plan = plan::turn(&stack, &have, action, &options);
        let doer = Doer::turning(self, &stack);
        let act = |step: &Step, told: &Told<'_>| match (step.action, step.name.parse::<Name>()) {
            (Action::Stop, Ok(name)) => {
                self.run_last_hooks(&stack, &step.key, &name, &|| told.is_gone());
                self.stack_stop(&name, timeout)
            }
            (Action::Restart, Ok(name)) => doer.restart(&name, step, timeout, told),
            _ => doer.act(step, told),
        };
        let on_error = if action == Action::Stop { OnError::GoOn } else { OnError::Stop };
        let done = steps::run(&plan, &act, on_error, progress);
        match action {
            Action::Stop if services.is_empty() => {
                self.target_down(name)?;
                // Those with `restart: always` come up by themselves otherwise.
                let mut names = have.workloads.keys().filter_map(|name| name.parse().ok());
                names.try_for_each(|name| self.start_at_boot(&name, false))?;
            }
            Action::Stop => {}
            _ => {
                let new = doer.tell_systemd()?;
                self.target_up(name, new)?;
            }
        }
        done.map(|()| plan)
    }

    /// Refuses services that a stack doesn't have.
    pub(super) fn check_services(&self, stack: &Stack, options: &Options) -> Result<()> {
        let unknown = options.services.iter().find(|key| !stack.services.contains_key(*key));
        unknown.map_or(Ok(()), |key| {
            let near = nearest(key, stack.services.keys().map(String::as_str));
            let error = no_service(&stack.name, key);
            Err(match near {
                Some(near) => error.hinted(format!("Did you mean `{near}`?")),
                None => error,
            })
        })
    }
}

/// That a stack has no such service.
pub(super) fn no_service(stack: &Name, key: &str) -> Error {
    let title = format!("The stack {stack} has no service {key}");
    Error::new(ErrorKind::NotFound, title)
        .about(&key)
        .hinted(format!("`volt compose -p {stack} ps -a` shows those that it has"))
}
