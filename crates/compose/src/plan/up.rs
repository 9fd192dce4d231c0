//! From what is there to what is wanted.

use super::{Action, Existing, Hashes, Have, Kind, Options, Plan, State, Step, waits};
use crate::stack::{Condition, External, MountKind, NetworkMode, Service, Stack, Workload};
use crate::{graph, hash, names};
use std::collections::{BTreeMap, BTreeSet};

/// Plans `up`.
#[must_use]
pub fn up(stack: &Stack, have: &Have, hashes: &Hashes, options: &Options) -> Plan {
    let mut planner = Planner {
        stack,
        have,
        options,
        hashes,
        plan: Plan::default(),
        last: BTreeMap::new(),
        changed: BTreeSet::new(),
        first: BTreeSet::new(),
    };
    let chosen = chosen(stack, options);
    let renewed = planner.networks(&chosen);
    planner.volumes(&chosen);
    planner.secrets(&chosen);
    if options.before.is_none() {
        planner.surplus();
    }
    let levels = graph::levels(stack);
    let itself = |key: &&String| options.before.as_ref() == Some(*key);
    let wanted = |key: &&String| chosen.contains(*key) && !itself(key);
    let order: Vec<&String> = levels.iter().flatten().filter(wanted).collect();
    order.iter().for_each(|key| planner.missing(key));
    order.iter().for_each(|key| planner.service(key, &renewed));
    planner.plan
}

/// The services that are asked for, and what they depend on.
#[must_use]
pub fn chosen(stack: &Stack, options: &Options) -> BTreeSet<String> {
    if options.services.is_empty() {
        return stack.services.keys().cloned().collect();
    }
    let mut chosen = BTreeSet::new();
    let mut left = options.services.clone();
    while let Some(key) = left.pop() {
        let Some(service) = stack.services.get(&key) else { continue };
        if chosen.insert(key) && !options.no_dependencies {
            left.extend(service.depends_on.keys().cloned());
        }
    }
    chosen
}

struct Planner<'a> {
    stack: &'a Stack,
    have: &'a Have,
    options: &'a Options,
    hashes: &'a Hashes,
    plan: Plan,
    /// The steps that are last for a thing: `network x`, `volume x`, `secret x`, `service x`.
    last: BTreeMap<String, BTreeSet<usize>>,
    /// Services that were made anew or started again.
    changed: BTreeSet<String>,
    /// What is done before anything is started: all that is not there is made, and what is too much is gone.
    first: BTreeSet<usize>,
}

/// How a service is connected, if it can be.
pub(super) fn network_mode(service: &Service) -> Option<&NetworkMode> {
    match &service.workload {
        Workload::Container(container) => Some(&container.network),
        Workload::Vm(vm) => Some(&vm.network),
        Workload::Service(_) | Workload::Task(_) => None,
    }
}

/// What a service uses, as keys of [`Planner::last`].
fn uses(stack: &Stack, service: &Service) -> Vec<String> {
    let networks = network_mode(service).into_iter().flat_map(NetworkMode::connections);
    let networks = networks.map(|(key, _)| format!("network {key}"));
    let mounts = service.container().map(|container| &container.mounts[..]).unwrap_or_default();
    let volumes = mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { source, .. } => Some(format!("volume {source}")),
        _ => None,
    });
    let grants = service.container().map(|container| &container.secrets[..]).unwrap_or_default();
    let secrets = grants.iter().map(|grant| format!("secret {}", grant.source));
    let task = match &service.workload {
        Workload::Task(task) => task.network(stack).map(|key| format!("network {key}")),
        _ => None,
    };
    // Who shares a network is made after the one whose it is.
    let shared = match network_mode(service) {
        Some(NetworkMode::Service(other)) => Some(format!("service {other}")),
        _ => None,
    };
    networks.chain(volumes).chain(secrets).chain(task).chain(shared).collect()
}

impl Planner<'_> {
    /// Networks that are not there are made. One that changed is made anew, for which who is connected stops; these are returned.
    fn networks(&mut self, chosen: &BTreeSet<String>) -> BTreeSet<String> {
        let mut renewed = BTreeSet::new();
        let services = self.stack.services.iter().filter(|(key, _)| chosen.contains(*key));
        let used: BTreeSet<String> =
            services.flat_map(|(_, service)| uses(self.stack, service)).collect();
        for (key, network) in &self.stack.networks {
            let id = format!("network {key}");
            if network.external == External::Yes || !used.contains(&id) {
                continue;
            }
            let name = names::of_network(self.stack, key).to_string();
            let mut step = match self.have.networks.get(&name) {
                None => Step::of(Action::Create, Kind::Network, &name, key, "it is not there"),
                Some(known) if *known == hash::of(network) => continue,
                Some(_) if self.options.keep => continue,
                Some(_) => Step::of(
                    Action::Recreate,
                    Kind::Network,
                    &name,
                    key,
                    "its configuration changed",
                ),
            };
            if step.action == Action::Recreate {
                let members = self
                    .stack
                    .services
                    .iter()
                    .filter(|(_, service)| uses(self.stack, service).contains(&id));
                let members: BTreeSet<String> = members.map(|(key, _)| key.clone()).collect();
                for (name, existing) in &self.have.workloads {
                    if members.contains(&existing.service) && existing.state.is_up() {
                        let mut stop = Step::of(
                            Action::Stop,
                            Kind::Workload,
                            name,
                            &existing.service,
                            format!("its network {key} is made anew"),
                        );
                        stop.replica = existing.replica;
                        step.after.insert(self.plan.push(stop));
                    }
                }
                renewed.extend(members);
            }
            let number = self.plan.push(step);
            self.last.entry(id).or_default().insert(number);
        }
        renewed
    }

    /// Volumes that are not there are made. One that changed stays as it is: its content is worth more than its options.
    fn volumes(&mut self, chosen: &BTreeSet<String>) {
        let services = self.stack.services.iter().filter(|(key, _)| chosen.contains(*key));
        let used: BTreeSet<String> =
            services.flat_map(|(_, service)| uses(self.stack, service)).collect();
        for (key, volume) in &self.stack.volumes {
            let id = format!("volume {key}");
            if volume.external == External::Yes || !used.contains(&id) {
                continue;
            }
            let name = names::of_volume(self.stack, key).to_string();
            match self.have.volumes.get(&name) {
                None => {
                    let step =
                        Step::of(Action::Create, Kind::Volume, &name, key, "it is not there");
                    let number = self.plan.push(step);
                    self.last.entry(id).or_default().insert(number);
                }
                Some(known) if *known != hash::of(volume) => {
                    let note = format!(
                        "The volume {name} is not what the file says any more; it stays as it is until it is removed"
                    );
                    self.plan.notes.push(note);
                }
                Some(_) => {}
            }
        }
    }

    /// Secrets that are not there are made, and those that changed get their new content.
    fn secrets(&mut self, chosen: &BTreeSet<String>) {
        let services = self.stack.services.iter().filter(|(key, _)| chosen.contains(*key));
        let used: BTreeSet<String> =
            services.flat_map(|(_, service)| uses(self.stack, service)).collect();
        for (key, secret) in &self.stack.secrets {
            let id = format!("secret {key}");
            if secret.external() == External::Yes || !used.contains(&id) {
                continue;
            }
            let name = names::of_secret(self.stack, key).to_string();
            let (action, why) = match (self.have.secrets.get(&name), self.hashes.secrets.get(key)) {
                (None, _) => (Action::Create, "it is not there"),
                // One that tells nothing was being written when a command was killed: it is nothing that could be kept.
                (Some(known), Some(wanted)) if known.is_empty() && known != wanted => {
                    (Action::Recreate, "it was not written to its end")
                }
                (Some(known), Some(wanted)) if known != wanted && !self.options.keep => {
                    (Action::Recreate, "its content changed")
                }
                (Some(_), _) => continue,
            };
            let number = self.plan.push(Step::of(action, Kind::Secret, name, key, why));
            self.last.entry(id).or_default().insert(number);
        }
    }

    /// Makes what a service lacks. What is made waits for nobody, so all of a stack is made at the same time.
    fn missing(&mut self, key: &str) {
        let Some(service) = self.stack.services.get(key) else { return };
        for number in 1..=service.replicas {
            let name = names::of_replica(self.stack, key, number).to_string();
            if self.have.workloads.contains_key(&name) {
                continue;
            }
            let mut step = Step::of(Action::Create, Kind::Workload, &name, key, "it is not there");
            step.replica = number;
            let used = uses(self.stack, service);
            step.after =
                used.iter().filter_map(|id| self.last.get(id)).flatten().copied().collect();
            let step = self.plan.push(step);
            self.first.insert(step);
            self.last.entry(format!("service {key}")).or_default().insert(step);
        }
    }

    fn service(&mut self, key: &str, renewed: &BTreeSet<String>) {
        let Some(service) = self.stack.services.get(key) else { return };
        let wanted = self
            .hashes
            .services
            .get(key)
            .cloned()
            .unwrap_or_else(|| hash::of_service(self.stack, key, &[]));
        // Who must be started again after another was: by `restart: true`, or because he shares its network.
        let shares = |other: &String| matches!(network_mode(service), Some(NetworkMode::Service(own)) if own == other);
        let again = service.depends_on.iter().find(|(other, dependency)| {
            (dependency.restart || shares(other)) && self.changed.contains(*other)
        });
        let again = again.map(|(other, _)| other.clone());
        for replica in 1..=service.replicas {
            let name = names::of_replica(self.stack, key, replica).to_string();
            self.replica(
                &Replica { key, service, name: &name, number: replica, wanted: &wanted },
                again.as_deref(),
                renewed,
            );
        }
    }

    fn replica(&mut self, one: &Replica<'_>, again: Option<&str>, renewed: &BTreeSet<String>) {
        let mut before = self.before(one.service);
        before.extend(&self.first);
        let Some(existing) = self.have.workloads.get(one.name) else {
            if !self.options.no_start {
                self.start(one, Action::Start, "it was made", before);
            }
            return;
        };
        if let Some(why) = self.why_anew(one, existing, renewed) {
            let mut step = one.step(Action::Recreate, why);
            step.after.clone_from(&before);
            let number = self.plan.push(step);
            before.insert(number);
            self.last.entry(format!("service {}", one.key)).or_default().insert(number);
            self.changed.insert(one.key.to_owned());
            if !self.options.no_start {
                self.start(one, Action::Start, "it was made", before);
            }
            return;
        }
        if self.options.no_start {
            return;
        }
        match existing.state {
            State::Running => {
                if let Some(other) = again {
                    self.changed.insert(one.key.to_owned());
                    self.start(one, Action::Restart, &format!("{other} was made anew"), before);
                }
            }
            State::Paused => self.start(one, Action::Unpause, "it is paused", before),
            // What others wait for to be done is done once.
            State::Ended { well: true } if self.is_awaited(one.key) => {}
            State::Ended { .. } => self.start(one, Action::Start, "it ended", before),
            State::Stopped => self.start(one, Action::Start, "it does not run", before),
            State::Starting => self.start(one, Action::Start, "it does not run yet", before),
        }
    }

    fn why_anew(
        &self,
        one: &Replica<'_>,
        existing: &Existing,
        renewed: &BTreeSet<String>,
    ) -> Option<String> {
        if self.options.keep {
            return None;
        }
        if self.options.force {
            return Some("it was asked for".to_owned());
        }
        if existing.hash != one.wanted {
            return Some("its configuration changed".to_owned());
        }
        renewed.contains(one.key).then(|| "its network is made anew".to_owned())
    }

    /// The steps after which a service may be made and started.
    fn before(&self, service: &Service) -> BTreeSet<usize> {
        let others = service.depends_on.keys().map(|other| format!("service {other}"));
        let all = uses(self.stack, service).into_iter().chain(others);
        all.filter_map(|id| self.last.get(&id)).flatten().copied().collect()
    }

    fn start(&mut self, one: &Replica<'_>, action: Action, why: &str, after: BTreeSet<usize>) {
        let mut step = one.step(action, why.to_owned());
        step.after = after;
        step.waits = waits(one.service).collect();
        let number = self.plan.push(step);
        self.last.entry(format!("service {}", one.key)).or_default().insert(number);
    }

    /// Whether somebody waits for it to have ended well.
    fn is_awaited(&self, key: &str) -> bool {
        let waits = |service: &Service| {
            service
                .depends_on
                .get(key)
                .is_some_and(|d| d.condition == Condition::ServiceCompletedSuccessfully)
        };
        self.stack.services.values().any(waits)
    }

    /// Replicas that are too many go; so does what belongs to no service any more, where that is wanted.
    fn surplus(&mut self) {
        for (name, existing) in &self.have.workloads {
            let known = self.stack.services.get(&existing.service);
            let wanted = known.is_some_and(|service| {
                existing.replica <= service.replicas && existing.replica > 0
            }) && names::of_replica(self.stack, &existing.service, existing.replica)
                .as_str()
                == name;
            if wanted {
                continue;
            }
            let why = match known {
                Some(service) if existing.replica > service.replicas => {
                    format!("{} are wanted", service.replicas)
                }
                Some(_) => "it is called otherwise now".to_owned(),
                None if self.options.remove_orphans => "no service of the file has it".to_owned(),
                None => {
                    let note = format!(
                        "{name} belongs to {}, which the file doesn't have; --remove-orphans removes it",
                        existing.service
                    );
                    self.plan.notes.push(note);
                    continue;
                }
            };
            let mut step = Step::of(Action::Remove, Kind::Workload, name, &existing.service, why);
            step.replica = existing.replica;
            self.first.insert(self.plan.push(step));
        }
    }
}

/// One workload of a service.
struct Replica<'a> {
    key: &'a str,
    service: &'a Service,
    name: &'a str,
    number: u32,
    wanted: &'a str,
}

impl Replica<'_> {
    fn step(&self, action: Action, why: String) -> Step {
        let mut step = Step::of(action, Kind::Workload, self.name, self.key, why);
        step.replica = self.number;
        step
    }
}
