//! What is done with a workload of a stack, whatever it is: a container, a service of systemd, a task. Of a task the timer is what
//! starts and stops with the stack; a run that is under way ends with it.

use super::Up;
use super::check::Refused;
use super::found::stack_of;
use super::turn::no_service;
use crate::error::{Error, Result};
use crate::plain::{Environment, Written};
use crate::service::End;
use crate::workload::Kind;
use crate::{Engine, service, task};
use std::collections::BTreeMap;
use std::time::Duration;
use volt_compose::launch::{credential, labels_of};
use volt_compose::stack::{Isolation, Schedule, Service, ServiceUnit, Task, Workload};
use volt_compose::{Stack, names};
use volt_host::files::{self, Publish};
use volt_host::systemd::JobKind;
use volt_model::container::unit as container_unit;
use volt_model::kind::ErrorKind;
use volt_model::name::{Name, Target};
use volt_model::service::{Program, Spec as ServiceSpec, unit as service_unit};
use volt_model::state::State;
use volt_model::task::{self as model_task, Spec as TaskSpec, unit as task_unit};
use volt_model::unitfile::parse_environment_file;

/// The most that is read of an environment, in bytes.
const MAX: usize = 4 << 20;

/// A service or task as it was, with its variables.
#[derive(Debug)]
pub(super) enum Old {
    /// A service, and how it had ended.
    Service(Box<ServiceSpec>, Environment, Option<End>),
    /// A task.
    Task(Box<TaskSpec>, Environment),
}

impl Old {
    /// What it is called.
    pub(super) fn name(&self) -> &Name {
        match self {
            Self::Service(spec, ..) => &spec.name,
            Self::Task(spec, _) => &spec.name,
        }
    }
}

/// The unit that stands for one workload of a service of a stack.
pub(super) fn unit_of(service: &Service, name: &Name) -> String {
    match &service.workload {
        Workload::Service(_) => service_unit::name(name),
        Workload::Task(_) => task_unit::timer(name),
        Workload::Container(_) | Workload::Vm(_) => container_unit::name(name),
    }
}

/// What a workload of this service is.
pub(super) fn kind_of(service: &Service) -> Kind {
    match &service.workload {
        Workload::Service(_) => Kind::Service,
        Workload::Task(_) => Kind::Task,
        Workload::Container(_) | Workload::Vm(_) => Kind::Container,
    }
}

/// Whether nothing keeps a workload of this service from the host itself: it is no container, or one that nothing confines, which
/// `by_proot` says of those that name no isolation.
fn is_on_host(service: &Service, by_proot: bool) -> bool {
    match &service.workload {
        Workload::Service(_) => true,
        Workload::Task(task) => task.container.is_none() || by_proot,
        Workload::Container(container) => by_proot || container.isolation == Isolation::Proot,
        Workload::Vm(_) => false,
    }
}

impl Engine {
    /// Whether there is a workload of that name.
    pub(super) fn stack_has(&self, name: &Name) -> bool {
        match self.kind_of(name) {
            Kind::Container => self.container_exists(name),
            Kind::Service | Kind::Task => true,
        }
    }

    /// Whether something of a stack runs on the host itself or isn't confined, as it is or as it is to be brought up.
    ///
    /// # Errors
    /// `InvalidConfig` for a document that is wrong.
    pub fn compose_has_host_units(&self, stack: &Name, up: Option<&Up>) -> Result<bool> {
        if let Some(up) = up {
            let by_proot = self.is_unconfined(None)?;
            let stack = super::read(stack, &up.document)?;
            if stack.services.values().any(|service| is_on_host(service, by_proot)) {
                return Ok(true);
            }
        }
        let own = |labels: &BTreeMap<String, String>| stack_of(labels) == Some(stack.as_str());
        let task = |spec: &TaskSpec| spec.image.is_none() && own(&spec.labels);
        Ok(self.service_specs()?.iter().any(|spec| own(&spec.labels))
            || self.task_specs()?.iter().any(task)
            || self.specs()?.iter().any(|spec| spec.backend.is_proot() && own(&spec.labels)))
    }

    /// Its labels.
    pub(crate) fn stack_labels(&self, name: &Name) -> Result<BTreeMap<String, String>> {
        Ok(match self.kind_of(name) {
            Kind::Container => self.spec(name)?.labels,
            Kind::Service => self.service_spec(name)?.labels,
            Kind::Task => self.task_spec(name)?.labels,
        })
    }

    /// How a workload stands; a task runs while its timer is up.
    pub(super) fn stack_state(&self, name: &Name) -> Result<State> {
        match self.kind_of(name) {
            Kind::Container => Ok(self.run_state(&self.spec(name)?)?.state),
            Kind::Service => Ok(self.service_status(&Target::Workload(name.clone()))?.state),
            Kind::Task => {
                let timer = self.systemd().unit_status(&task_unit::timer(name))?;
                Ok(if timer.active.is_up() { State::Running } else { State::Stopped })
            }
        }
    }

    pub(super) fn stack_start(&self, name: &Name) -> Result<()> {
        match self.kind_of(name) {
            Kind::Container => self.container_start(name).map(drop),
            Kind::Service => self.service_start(&Target::Workload(name.clone())).map(drop),
            Kind::Task => {
                let _lock = self.lock_name(name)?;
                self.plain_job(JobKind::Start, &task_unit::timer(name))
            }
        }
    }

    pub(super) fn stack_stop(&self, name: &Name, timeout: Option<Duration>) -> Result<()> {
        match self.kind_of(name) {
            Kind::Container => self.bring_down(name, timeout).map(drop),
            Kind::Service => self.bring_service_down(&Target::Workload(name.clone()), timeout),
            Kind::Task => {
                {
                    let _lock = self.lock_name(name)?;
                    self.plain_job(JobKind::Stop, &task_unit::timer(name))?;
                }
                self.task_stop(name).map(drop)
            }
        }
    }

    pub(super) fn stack_restart(&self, name: &Name, timeout: Option<Duration>) -> Result<()> {
        match self.kind_of(name) {
            Kind::Container => self.container_restart(name, timeout).map(drop),
            Kind::Service if timeout.is_none() => {
                self.service_restart(&Target::Workload(name.clone())).map(drop)
            }
            Kind::Service | Kind::Task => {
                self.stack_stop(name, timeout)?;
                self.stack_start(name)
            }
        }
    }

    /// Removes a workload. Of a container all that it wrote goes with it.
    pub(super) fn stack_delete(&self, name: &Name, written: Written) -> Result<()> {
        match self.kind_of(name) {
            Kind::Container => self.container_delete(name, true),
            Kind::Service => self.remove_service(name, true, written),
            Kind::Task => self.remove_task(name, true, written),
        }
    }

    /// A service or task as it is, so that it can be put back; nothing where it is a container.
    pub(super) fn plain_as_it_is(&self, name: &Name) -> Result<Option<Old>> {
        let read = |path| match files::read_text(path, MAX) {
            Ok(text) => Ok(text),
            Err(e) if e.is_not_found() => Ok(String::new()),
            Err(e) => Err(Error::from(e).about(name)),
        };
        Ok(match self.kind_of(name) {
            Kind::Container => None,
            Kind::Service => {
                let text = read(&self.service_environment(name))?;
                let spec = Box::new(self.service_spec(name)?);
                Some(Old::Service(spec, parse_environment_file(&text), self.service_end(name)))
            }
            Kind::Task => {
                let (spec, text) = (self.task_spec(name)?, read(&self.task_environment(name))?);
                let pair = |line: &str| {
                    let (name, value) = line.split_once('=')?;
                    Some((name.to_owned(), value.to_owned()))
                };
                let environment = match spec.image {
                    Some(_) => text.lines().filter_map(pair).collect(),
                    None => parse_environment_file(&text),
                };
                Some(Old::Task(Box::new(spec), environment))
            }
        })
    }

    /// Makes a service or task what it was.
    pub(super) fn put_plain_back(&self, old: &Old) -> Result<()> {
        match old {
            Old::Service(spec, environment, end) => {
                self.service_replace(spec, environment)?;
                // What it had done stays done: who waits for it is to begin again.
                let done = end.as_ref().filter(|end| end.is_good());
                done.map_or(Ok(()), |end| self.put_service_end_back(&spec.name, end))
            }
            Old::Task(spec, environment) => self.task_replace(spec, environment),
        }
    }

    /// Makes a service or task, or puts it in the place of the stack's that is there.
    pub(super) fn make_plain(
        &self,
        stack: &Stack,
        (key, replica, hash): (&str, u32, &str),
        how: Publish,
    ) -> Result<()> {
        let service = stack.services.get(key).ok_or_else(|| no_service(&stack.name, key))?;
        let name = names::of_replica(stack, key, replica);
        let labels = labels_of(stack, key, replica, hash);
        match &service.workload {
            Workload::Service(unit) => {
                let create = service_of(stack, name, (unit, labels))?;
                if how == Publish::New {
                    return self.service_create(create).map(drop);
                }
                let (spec, environment) = self.checked_service(create)?;
                self.service_replace(&spec, &environment)
            }
            Workload::Task(task) => {
                let create = task_of(stack, name, (task, labels));
                if how == Publish::New {
                    return self.task_create(create).map(drop);
                }
                let (spec, environment) = self.checked_task(create)?;
                self.task_replace(&spec, &environment)
            }
            Workload::Container(_) | Workload::Vm(_) => Ok(()),
        }
    }

    /// The services and tasks of a stack that can't be so.
    pub(super) fn check_plain(&self, stack: &Stack) -> Refused {
        let check = |key: &String, service: &Service| {
            let name = names::of_replica(stack, key, 1);
            match &service.workload {
                Workload::Service(unit) => {
                    let create = service_of(stack, name, (unit, BTreeMap::new()))?;
                    self.checked_service(create).map(drop)
                }
                Workload::Task(task) => {
                    self.checked_task(task_of(stack, name, (task, BTreeMap::new()))).map(drop)
                }
                Workload::Container(_) | Workload::Vm(_) => Ok(()),
            }
        };
        let refused = |(key, service)| Some((String::clone(key), check(key, service).err()?));
        stack.services.iter().filter_map(refused).collect()
    }
}

fn pairs(environment: &BTreeMap<String, String>) -> Vec<String> {
    environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn merged(
    own: &BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    own.clone().into_iter().chain(labels).collect()
}

fn can_not_be(name: &Name, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let title = format!("The service {name} can't be so");
    Error::new(ErrorKind::InvalidConfig, title).about(name).because(why)
}

/// A service of a stack in the words of `service create`.
fn service_of(
    stack: &Stack,
    name: Name,
    (unit, labels): (&ServiceUnit, BTreeMap<String, String>),
) -> Result<service::Create> {
    let profile = unit.sandbox.as_deref().map(str::parse).transpose();
    let profile = profile.map_err(|error| can_not_be(&name, error))?;
    let asked = unit.health.as_ref().filter(|health| health.check.is_some());
    let asked = asked.map(volt_compose::health::wanted).transpose();
    let asked = asked.map_err(|reason| can_not_be(&name, reason))?;
    let health = asked.map(|wanted| wanted.over(None)).transpose();
    let health = health.map_err(|error| can_not_be(&name, error))?;
    Ok(service::Create {
        description: unit.description.clone(),
        program: Program {
            exec: unit.exec.clone(),
            profile: profile.unwrap_or_default(),
            user: unit.user.clone(),
            workdir: unit.working_dir.clone(),
            writable: Vec::new(),
            limits: unit.limits.clone(),
            secrets: unit.secrets.iter().map(|grant| credential(stack, grant)).collect(),
        },
        env: pairs(&unit.environment),
        restart: unit.restart,
        health: health.flatten(),
        stop_timeout: unit.stop_grace_period.map(seconds),
        labels: merged(&unit.labels, labels),
        now: false,
        name,
    })
}

/// A task of a stack in the words of `task create`. Its timer is the stack's to start; its container finds the others by their names.
fn task_of(
    stack: &Stack,
    name: Name,
    (task, labels): (&Task, BTreeMap<String, String>),
) -> task::Create {
    let whole = |span: Option<Duration>| span.map(|span| u64::from(seconds(span)));
    task::Create {
        name,
        description: task.description.clone(),
        program: Program {
            exec: task.exec.clone(),
            user: task.user.clone(),
            workdir: task.working_dir.clone(),
            limits: task.limits.clone(),
            secrets: task.secrets.iter().map(|grant| credential(stack, grant)).collect(),
            ..Program::default()
        },
        image: task.container.clone(),
        network: task.network(stack).map(|key| names::of_network(stack, key)),
        env: pairs(&task.environment),
        schedule: schedule_of(task),
        timeout: whole(task.timeout),
        retries: task.retries,
        random_delay: whole(task.random_delay),
        persistent: task.persistent,
        labels: merged(&task.labels, labels),
        disabled: true,
    }
}

/// When a task of a stack is started, in the words of `task create`.
pub(super) fn schedule_of(task: &Task) -> model_task::Schedule {
    match &task.schedule {
        Schedule::Calendar(text) => model_task::Schedule::Calendar(text.clone()),
        Schedule::Every(text) => model_task::Schedule::Every(text.clone()),
        Schedule::Cron(text) => model_task::Schedule::Cron(text.clone()),
    }
}

/// What is asked for is never nothing because it is short.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_on_the_host_is_told_from_what_runs_in_containers() {
        let text = "name: shop\nservices:\n  web: {image: x}\n  traced: {image: x, isolation: proot}\n  worker: {exec: /bin/true}\ntasks:\n  inside: {container: x, exec: /bin/true, every: 5m}\n  outside: {exec: /bin/true, every: 5m}\n";
        let stack = super::super::read(&"shop".parse().unwrap(), text).unwrap();
        let on_host = |by_proot| -> Vec<&str> {
            let found = stack.services.iter().filter(|(_, service)| is_on_host(service, by_proot));
            found.map(|(key, _)| key.as_str()).collect()
        };
        assert_eq!(on_host(false), ["outside", "traced", "worker"]);
        assert_eq!(on_host(true), ["inside", "outside", "traced", "web", "worker"]);
    }
}
