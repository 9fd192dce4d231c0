//! Beginning what could not begin because a gate had failed: systemd doesn't try again whose dependency failed. Called by
//! `volt-reopen@NAME.service`, which each gate of the workload NAME starts when it fails; needs no daemon.

use super::found::stack_of;
use super::kinds::unit_of;
use super::units::{target_name, workload_of};
use crate::Engine;
use crate::error::Result;
use std::time::{Duration, Instant, SystemTime};
use volt_compose::stack::{Condition, Service};
use volt_compose::{Stack, names};
use volt_host::systemd::{ActiveState, JobKind};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

/// How often it is looked whether the gate would open.
const LOOK: Duration = Duration::from_secs(1);
/// How often at the least, when it has opened and somebody still hasn't begun.
const LONGEST: Duration = Duration::from_secs(15);

/// How the target of a stack stands.
enum Target {
    /// It is up since then.
    Up(Option<SystemTime>),
    /// It is on its way up, as at boot.
    Starting,
    /// It is down, and so is all of it to be.
    Down,
}

impl Engine {
    /// Begins the workloads of a stack that wait for one that was not so far in time, each when all that it waits for is so far.
    /// Returns when none of them waits any more, or the stack is down.
    ///
    /// # Errors
    /// When systemd can't be asked.
    pub fn gate_reopen(&self, name: &Name) -> Result<()> {
        let (begun, mut pause) = (SystemTime::now(), LOOK);
        loop {
            let labels = match self.stack_labels(name) {
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
                labels => labels?,
            };
            let stack = stack_of(&labels).and_then(|stack| stack.parse().ok());
            let stack = stack.map_or(Ok(None), |stack| self.kept_stack(&stack))?;
            let Some(stack) = stack else { return Ok(()) };
            let waiting = self.waiting(&stack, name, begun)?;
            if waiting.is_empty() {
                return Ok(());
            }
            // A command that is at work on the stack has a plan of its own for who is down.
            if let Ok(_lock) = self.try_lock_stack(&stack.name) {
                for (service, unit) in waiting {
                    if self.all_so_far(&stack, service)? {
                        tracing::info!(%unit, "what it waited for is so far");
                        self.systemd().queue_job(JobKind::Start, &unit)?;
                        // Somebody whose start fails is not tried again and again.
                        pause *= 2;
                    }
                }
            }
            pause = (pause + pause / 16).min(LONGEST);
            if !self.sleep_while_up(&stack.name, pause)? {
                return Ok(());
            }
        }
    }

    /// Sleeps; no longer than a stack is up. Whether it is.
    fn sleep_while_up(&self, stack: &Name, pause: Duration) -> Result<bool> {
        let end = Instant::now() + pause;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            std::thread::sleep(left.min(LOOK));
            if matches!(self.target_stands(stack)?, Target::Down) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Who of a stack could not begin because of one of it. Who ended after this has begun is not among them.
    fn waiting<'s>(
        &self,
        stack: &'s Stack,
        name: &Name,
        begun: SystemTime,
    ) -> Result<Vec<(&'s Service, String)>> {
        let since = match self.target_stands(&stack.name)? {
            Target::Down => return Ok(Vec::new()),
            Target::Starting => begun,
            Target::Up(since) => since.unwrap_or(begun).min(begun),
        };
        let mut all = Vec::new();
        for (unit, service) in dependents(stack, name) {
            let is_there = workload_of(&unit)
                .is_some_and(|(kind, name)| self.kind_of(&name) == kind && self.stack_has(&name));
            if !is_there {
                continue;
            }
            let status = self.systemd().unit_status(&unit)?;
            if could_not_begin(status.active, status.inactive_since, since) {
                all.push((service, unit));
            }
        }
        Ok(all)
    }

    fn target_stands(&self, stack: &Name) -> Result<Target> {
        let unit = target_name(stack);
        let listed = self.systemd().list_units(&[&unit])?;
        Ok(match listed.first() {
            Some(found) if found.job.as_deref() == Some("start") => Target::Starting,
            Some(found) if found.active.is_up() && found.job.is_none() => {
                Target::Up(self.systemd().unit_status(&unit)?.active_since)
            }
            _ => Target::Down,
        })
    }

    /// Whether all that a service can't do without has come as far as it asks.
    fn all_so_far(&self, stack: &Stack, service: &Service) -> Result<bool> {
        for (other, dependency) in gates(service) {
            let Some(depended) = stack.services.get(other) else { continue };
            for replica in 1..=depended.replicas {
                let name = names::of_replica(stack, other, replica);
                let so_far = match dependency {
                    Condition::ServiceStarted => true,
                    Condition::ServiceHealthy => self.is_healthy(&name),
                    Condition::ServiceCompletedSuccessfully => {
                        self.has_completed(&name).unwrap_or(false)
                            || self.would_be_run(&name).unwrap_or(false)
                    }
                };
                if !so_far {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// What a service requires the gates of.
fn gates(service: &Service) -> impl Iterator<Item = (&String, Condition)> {
    let required = service.depends_on.iter().filter(|(_, dependency)| {
        dependency.required && dependency.condition != Condition::ServiceStarted
    });
    required.map(|(key, dependency)| (key, dependency.condition))
}

/// The units of a stack that require a gate of a workload of it.
fn dependents<'s>(stack: &'s Stack, name: &Name) -> Vec<(String, &'s Service)> {
    let of_it = |key: &String| {
        stack.services.get(key).is_some_and(|service| {
            (1..=service.replicas).any(|n| names::of_replica(stack, key, n) == *name)
        })
    };
    let all =
        stack.services.iter().filter(|(_, service)| gates(service).any(|(other, _)| of_it(other)));
    let units = |(key, service): (&'s String, &'s Service)| {
        let unit = move |n| (unit_of(service, &names::of_replica(stack, key, n)), service);
        (1..=service.replicas).map(unit)
    };
    all.flat_map(units).collect()
}

/// Whether a unit has not run since its stack came up. One that has is down because it ended, or because somebody stopped it.
fn could_not_begin(active: ActiveState, ended: Option<SystemTime>, since: SystemTime) -> bool {
    active == ActiveState::Inactive && ended.is_none_or(|ended| ended < since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::read;

    #[test]
    fn who_requires_a_gate_waits_for_it() {
        let text = "name: shop\nservices:\n  db: {image: x}\n  init: {image: x}\n  web: {image: x, scale: 2, depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}}\n  mail: {image: x, depends_on: {db: {condition: service_healthy, required: false}}}\n  page: {exec: /bin/true, depends_on: [db]}\n";
        let stack = read(&"shop".parse().unwrap(), text).unwrap();
        let units = |name: &str| -> Vec<String> {
            dependents(&stack, &name.parse().unwrap()).into_iter().map(|(unit, _)| unit).collect()
        };
        let web = ["volt-container@shop-web-1.service", "volt-container@shop-web-2.service"];
        assert_eq!(units("shop-db-1"), web);
        assert_eq!(units("shop-init-1"), web);
        assert_eq!(units("shop-web-1"), [""; 0]);
    }

    #[test]
    fn what_ran_since_its_stack_came_up_does_not_wait() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (down, up) = (ActiveState::Inactive, at(10));
        assert!(could_not_begin(down, None, up));
        assert!(could_not_begin(down, Some(at(5)), up));
        assert!(!could_not_begin(down, Some(at(15)), up));
        assert!(!could_not_begin(ActiveState::Failed, None, up));
        assert!(!could_not_begin(ActiveState::Active, None, up));
    }
}
