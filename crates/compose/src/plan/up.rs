//! From what is there to what is wanted.

use super::hold::{self, Hold};
use super::{Action, Existing, Hashes, Have, Kind, Options, Plan, State, Step, waits};
use crate::stack::{External, MountKind, NetworkMode, Service, Stack, Workload};
use crate::{graph, hash, names};
use std::collections::{BTreeMap, BTreeSet};

/// Plans `up`.
#[must_use]
pub fn up(stack: &Stack, have: &Have, hashes: &Hashes, options: &Options) -> Plan {
    let chosen = chosen(stack, options);
    let levels = graph::levels(stack);
    let itself = |key: &&String| options.before.as_ref() == Some(*key);
    let wanted = |key: &&String| chosen.contains(*key) && !itself(key);
    let order: Vec<&String> = levels.iter().flatten().filter(wanted).collect();
    let all = order.iter().flat_map(|key| replicas(stack, key));
    let mut planner = Planner {
        stack,
        have,
        options,
        hashes,
        plan: Plan::default(),
        names: all.map(|(name, _)| name).collect(),
        last: BTreeMap::new(),
        changed: BTreeSet::new(),
        first: BTreeSet::new(),
        gone: BTreeMap::new(),
        makes_way: BTreeMap::new(),
    };
    if options.before.is_none() {
        planner.surplus(&chosen);
    }
    planner.networks(&chosen);
    planner.volumes(&chosen);
    planner.secrets(&chosen);
    planner.make_way(&order);
    order.iter().for_each(|key| planner.missing(key));
    order.iter().for_each(|key| planner.service(key));
    let others = levels.iter().flatten().filter(|key| !chosen.contains(*key) && !itself(key));
    others.for_each(|key| planner.sharer(key));
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
    /// What all that is brought up is called.
    names: BTreeSet<String>,
    /// The steps that are last for a thing: `network x`, `volume x`, `secret x`, `service x`.
    last: BTreeMap<String, BTreeSet<usize>>,
    /// Services that were made anew or started again.
    changed: BTreeSet<String>,
    /// What is done before anything is started: all that is not there is made, and what is too much is gone.
    first: BTreeSet<usize>,
    /// What is stopped or removed before anything is made, by its name: in which step and why.
    gone: BTreeMap<String, (usize, String)>,
    /// The steps after which a workload can have what others had.
    makes_way: BTreeMap<String, BTreeSet<usize>>,
}

/// The workloads of a service: what each is called, and which one it is.
fn replicas(stack: &Stack, key: &str) -> Vec<(String, u32)> {
    let count = stack.services.get(key).map_or(0, |service| service.replicas);
    (1..=count).map(|n| (names::of_replica(stack, key, n).to_string(), n)).collect()
}

/// How a service is connected, if it can be.
pub(super) fn network_mode(service: &Service) -> Option<&NetworkMode> {
    match &service.workload {
        Workload::Container(container) => Some(&container.network),
        Workload::Vm(vm) => Some(&vm.network),
        Workload::Service(_) | Workload::Task(_) => None,
    }
}

/// The service whose network this one shares.
pub(super) fn shared(service: &Service) -> Option<&String> {
    match network_mode(service)? {
        NetworkMode::Service(other) => Some(other),
        _ => None,
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
    let secrets = service.secrets().iter().map(|grant| format!("secret {}", grant.source));
    let task = match &service.workload {
        Workload::Task(task) => task.network(stack).map(|key| format!("network {key}")),
        _ => None,
    };
    // Who shares a network is made after the one whose it is.
    let shared = shared(service).map(|other| format!("service {other}"));
    networks.chain(volumes).chain(secrets).chain(task).chain(shared).collect()
}

impl Planner<'_> {
    /// Networks that are not there are made. One that changed is made anew, for which who is connected stops; where that is somebody who
    /// was not asked for it stays.
    fn networks(&mut self, chosen: &BTreeSet<String>) {
        let services = self.stack.services.iter().filter(|(key, _)| chosen.contains(*key));
        let used: BTreeSet<String> =
            services.flat_map(|(_, service)| uses(self.stack, service)).collect();
        for (key, network) in &self.stack.networks {
            let id = format!("network {key}");
            if network.external == External::Yes || !used.contains(&id) {
                continue;
            }
            let name = names::of_network(self.stack, key).to_string();
            let step = match self.have.networks.get(&name) {
                None => Step::of(Action::Create, Kind::Network, &name, key, "it is not there"),
                Some(known) if *known == hash::of(network) => continue,
                Some(_) if self.options.keep => continue,
                Some(_) => {
                    let place = Hold::Network(name.clone());
                    if let Some(other) = self.not_asked_for(&place) {
                        let note = format!(
                            "The network {name} is not what the file says any more; it stays as it is, for {other} is connected to it and was not asked for"
                        );
                        self.plan.notes.push(note);
                        continue;
                    }
                    let why = "its configuration changed";
                    let mut step = Step::of(Action::Recreate, Kind::Network, &name, key, why);
                    step.after =
                        self.free(&[place], "", &format!("its network {key} is made anew"));
                    step
                }
            };
            let number = self.plan.push(step);
            self.last.entry(id).or_default().insert(number);
        }
    }

    /// Somebody who has this and that no service is about which was named.
    fn not_asked_for(&self, hold: &Hold) -> Option<String> {
        let stays = |name: &String| !self.names.contains(name) && !self.gone.contains_key(name);
        let mut all = self.have.workloads.iter().filter(|(_, one)| one.holds.contains(hold));
        let all = all.find(|(name, _)| !self.options.services.is_empty() && stays(name));
        all.map(|(name, _)| name.clone())
    }

    /// Stops who has something of this, but for one, where he isn't gone anyhow. The steps after which it is free.
    fn free(&mut self, wanted: &[Hold], but: &str, why: &str) -> BTreeSet<usize> {
        let mut steps = BTreeSet::new();
        for name in hold::holders(self.have, wanted, but) {
            if let Some((number, _)) = self.gone.get(&name) {
                steps.insert(*number);
                continue;
            }
            let Some(existing) = self.have.workloads.get(&name) else { continue };
            let step = Step::of(Action::Stop, Kind::Workload, &name, &existing.service, why);
            let number = self.plan.push(Step { replica: existing.replica, ..step });
            if !self.names.contains(&name) {
                self.plan.notes.push(format!("{name} is stopped and stays so: {why}"));
            }
            self.gone.insert(name, (number, why.to_owned()));
            steps.insert(number);
        }
        steps
    }

    /// Stops who has a port or an address that something is to have which is made. Who was stopped so is made anew, and may be in need of
    /// what others have.
    fn make_way(&mut self, order: &[&String]) {
        let mut left = Vec::new();
        for key in order {
            let Some(service) = self.stack.services.get(*key) else { continue };
            let wanted = hold::wanted(self.stack, service);
            if !wanted.is_empty() && !self.options.keep {
                let hash = self.hash(key);
                let all = replicas(self.stack, key).into_iter();
                left.extend(all.map(|(name, _)| (*key, name, hash.clone(), wanted.clone())));
            }
        }
        loop {
            let is_made = |(key, name, hash, _): &(&String, String, String, Vec<Hold>)| {
                let existing = self.have.workloads.get(name);
                existing.is_none_or(|existing| self.why_anew((key, name, hash), existing).is_some())
            };
            let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(is_made);
            if now.is_empty() {
                return;
            }
            for (key, name, _, wanted) in now {
                let why = format!("{key} is to have a port or an address of it");
                let steps = self.free(&wanted, &name, &why);
                self.makes_way.insert(name, steps);
            }
            left = later;
        }
    }

    /// The hash that workloads of a service are to have.
    fn hash(&self, key: &str) -> String {
        let known = self.hashes.services.get(key).cloned();
        known.unwrap_or_else(|| hash::of_service(self.stack, key, &[]))
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
        for (name, number) in replicas(self.stack, key) {
            if self.have.workloads.contains_key(&name) {
                continue;
            }
            let mut step = Step::of(Action::Create, Kind::Workload, &name, key, "it is not there");
            step.replica = number;
            let used = uses(self.stack, service);
            let used = used.iter().filter_map(|id| self.last.get(id));
            step.after = used.chain(self.makes_way.get(&name)).flatten().copied().collect();
            let step = self.plan.push(step);
            self.first.insert(step);
            self.last.entry(format!("service {key}")).or_default().insert(step);
        }
    }

    fn service(&mut self, key: &str) {
        let Some(service) = self.stack.services.get(key) else { return };
        let wanted = self.hash(key);
        // Who must be started again after another was: by `restart: true`, or because he shares its network.
        let shares = shared(service);
        let again = service.depends_on.iter().find(|(other, dependency)| {
            (dependency.restart || shares == Some(other)) && self.changed.contains(*other)
        });
        let again = again.map(|(other, _)| other.clone());
        for (name, number) in replicas(self.stack, key) {
            let one = Replica { key, service, name: &name, number, wanted: &wanted };
            self.replica(&one, again.as_deref());
        }
    }

    /// Starts again who was not asked for and ran, where the service whose network he shares was made anew: he has stopped with it.
    fn sharer(&mut self, key: &str) {
        let Some(service) = self.stack.services.get(key) else { return };
        let Some(other) = shared(service).filter(|other| self.changed.contains(*other)) else {
            return;
        };
        let why = format!("{other}, whose network it shares, was made anew");
        for (name, number) in replicas(self.stack, key) {
            let runs = self.have.workloads.get(&name).is_some_and(|one| one.state.is_up());
            if runs && !self.options.no_start && !self.gone.contains_key(&name) {
                let one = Replica { key, service, name: &name, number, wanted: "" };
                self.start(&one, Action::Restart, &why, self.before(service));
                // Others may share it by this one.
                self.changed.insert(key.to_owned());
            }
        }
    }

    fn replica(&mut self, one: &Replica<'_>, again: Option<&str>) {
        let mut before = self.before(one.service);
        before.extend(&self.first);
        let Some(existing) = self.have.workloads.get(one.name) else {
            if !self.options.no_start {
                self.start(one, Action::Start, "it was made", before);
            }
            return;
        };
        if let Some(why) = self.why_anew((one.key, one.name, one.wanted), existing) {
            before.extend(self.makes_way.get(one.name).into_iter().flatten());
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
            State::Ended { well: true } if self.stack.is_awaited(one.key) => {}
            State::Ended { .. } => self.start(one, Action::Start, "it ended", before),
            State::Stopped => self.start(one, Action::Start, "it does not run", before),
            State::Starting => self.start(one, Action::Start, "it does not run yet", before),
        }
    }

    /// Why something else takes the place of what is called so, if it does.
    fn why_anew(
        &self,
        (key, name, hash): (&str, &str, &str),
        existing: &Existing,
    ) -> Option<String> {
        if existing.service != key {
            return Some(format!("{} was called so", existing.service));
        }
        if self.options.keep {
            return None;
        }
        if self.options.force {
            return Some("it was asked for".to_owned());
        }
        if existing.hash != hash {
            return Some("its configuration changed".to_owned());
        }
        self.gone.get(name).map(|(_, why)| why.clone())
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

    /// Replicas that are too many go, where their service is asked for; so does what belongs to no service any more, where that is wanted.
    /// What gives its name to another makes room for that when it is made.
    fn surplus(&mut self, chosen: &BTreeSet<String>) {
        for (name, existing) in &self.have.workloads {
            let known = self.stack.services.get(&existing.service);
            let is_asked_for = known.is_none() || chosen.contains(&existing.service);
            if self.names.contains(name) || !is_asked_for {
                continue;
            }
            let why = match known {
                Some(service) if existing.replica > service.replicas => {
                    format!("{} are wanted", service.replicas)
                }
                Some(_) => "it is called otherwise now".to_owned(),
                None if self.options.disabled.contains(&existing.service) => continue,
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
            let step = Step::of(Action::Remove, Kind::Workload, name, &existing.service, &why);
            let number = self.plan.push(Step { replica: existing.replica, ..step });
            self.first.insert(number);
            self.gone.insert(name.clone(), (number, why));
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
