//! What no single field can tell: that what is named is there, nothing waits for itself, and nothing wants what another has.

use crate::decode::{Places, SERVICE_SECTIONS};
use crate::launch;
use crate::names;
use crate::problem::{Problem, Report};
use crate::stack::{
    Check, Condition, Container, External, Grant, Mount, MountKind, NetworkMode, Service, Stack,
    Workload,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use volt_model::config::nearest;
use volt_model::name::Name;
use volt_model::net::{Alias, Publish};
use volt_model::secret::SecretMount;

/// Checks a stack. What it does without saying is put in: the network `default` where a service uses it.
pub fn verify(
    stack: &mut Stack,
    places: &Places,
    disabled: &BTreeMap<String, Vec<String>>,
    report: &mut Report,
) {
    implied(stack);
    let mut verifier = Verifier { places, disabled, report };
    verifier.dependencies(stack);
    verifier.cycles(stack);
    verifier.references(stack);
    verifier.ports(stack);
    verifier.addresses(stack);
    verifier.hardware_addresses(stack);
    verifier.subnets(stack);
    verifier.names(stack);
    verifier.targets(stack);
    if stack.services.is_empty() {
        verifier.report.warn(Problem::nowhere(format!("Nothing runs in the stack {}", stack.name)));
    }
}

/// Mounts of other services are its own, `default` is declared by using it, and who shares a network with a service depends on it.
fn implied(stack: &mut Stack) {
    mounts_of_others(stack);
    links(stack);
    let mut uses_default = false;
    for service in stack.services.values_mut() {
        let Some(network) = network(&service.workload) else { continue };
        uses_default |= network.connections().any(|(key, _)| key == "default");
        if let NetworkMode::Service(other) = network {
            service.depends_on.entry(other.clone()).or_default();
        }
    }
    if uses_default {
        stack.networks.entry("default".to_owned()).or_default();
    }
}

/// `volumes_from`: what others mount, where it mounts nothing itself. Those who have it from others in turn come behind them; of two who
/// have it from each other one goes first, and the circle is refused as one of dependencies.
fn mounts_of_others(stack: &mut Stack) {
    let takes =
        |service: &Service| Some(service.container()?.volumes_from.keys().cloned().collect());
    let mut left: BTreeMap<String, BTreeSet<String>> = stack
        .services
        .iter()
        .filter_map(|(key, service)| Some((key.clone(), takes(service)?)))
        .filter(|(_, from): &(_, BTreeSet<String>)| !from.is_empty())
        .collect();
    let from: BTreeSet<String> = left.values().flatten().cloned().collect();
    from.iter().for_each(|key| name_what_is_shared(stack, key));
    while let Some(first) = left.keys().next() {
        let is_next = |from: &BTreeSet<String>| from.iter().all(|other| !left.contains_key(other));
        let next = left.iter().find(|(_, from)| is_next(from)).map_or(first, |(key, _)| key);
        let next = next.clone();
        left.remove(&next);
        take_mounts(stack, &next);
    }
}

/// Has a service mount what those mount that it names.
fn take_mounts(stack: &mut Stack, key: &str) {
    let Some(Workload::Container(container)) = stack.services.get(key).map(|one| &one.workload)
    else {
        return;
    };
    let (wanted, mut mounts) = (container.volumes_from.clone(), container.mounts.clone());
    for (other, read_only) in &wanted {
        let others = stack.services.get(other).and_then(Service::container);
        for mount in others.into_iter().flat_map(|other| &other.mounts) {
            if mounts.iter().all(|own| own.target != mount.target) {
                let read_only = *read_only || mount.read_only;
                mounts.push(Mount { read_only, ..mount.clone() });
            }
        }
    }
    let Some(service) = stack.services.get_mut(key) else { return };
    for other in wanted.into_keys() {
        service.depends_on.entry(other).or_default();
    }
    if let Workload::Container(container) = &mut service.workload {
        (container.volumes_from, container.mounts) = (BTreeMap::default(), mounts);
    }
}

/// Volumes without a name are each container's own. Where others are to have them too they get one: the service's, and where they are.
fn name_what_is_shared(stack: &mut Stack, key: &str) {
    let Some(Workload::Container(container)) =
        stack.services.get_mut(key).map(|one| &mut one.workload)
    else {
        return;
    };
    for mount in container.mounts.iter_mut().filter(|one| one.kind == MountKind::Anonymous) {
        let place: String =
            mount.target.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let source = format!("{key}{place}");
        stack.volumes.entry(source.clone()).or_default();
        mount.kind = MountKind::Volume { source, subpath: None, nocopy: false };
    }
}

/// `links`: a service that is asked for under another name has that name, in the networks that both are in.
fn links(stack: &mut Stack) {
    let mut wanted: Vec<(String, String, Vec<String>)> = Vec::new();
    for service in stack.services.values_mut() {
        let Workload::Container(container) = &mut service.workload else { continue };
        let networks: Vec<String> =
            container.network.connections().map(|(key, _)| key.clone()).collect();
        for (alias, key) in std::mem::take(&mut container.links) {
            wanted.push((key, alias, networks.clone()));
        }
    }
    for (key, alias, networks) in wanted {
        let Some(Workload::Container(container)) =
            stack.services.get_mut(&key).map(|s| &mut s.workload)
        else {
            continue;
        };
        let NetworkMode::Networks(map) = &mut container.network else { continue };
        for (_, connection) in map.iter_mut().filter(|(network, _)| networks.contains(network)) {
            if !connection.aliases.contains(&alias) {
                connection.aliases.push(alias.clone());
                connection.aliases.sort();
            }
        }
    }
}

fn network(workload: &Workload) -> Option<&NetworkMode> {
    match workload {
        Workload::Container(container) => Some(&container.network),
        Workload::Vm(vm) => Some(&vm.network),
        Workload::Service(_) | Workload::Task(_) => None,
    }
}

fn ports(workload: &Workload) -> &[Publish] {
    match workload {
        Workload::Container(container) => &container.ports,
        Workload::Vm(vm) => &vm.ports,
        Workload::Service(_) | Workload::Task(_) => &[],
    }
}

struct Verifier<'a> {
    places: &'a Places,
    disabled: &'a BTreeMap<String, Vec<String>>,
    report: &'a mut Report,
}

impl Verifier<'_> {
    /// An error about a part of a service; its place is that of the part, or of the service.
    fn wrong(&mut self, service: &str, part: &str, text: &str) -> Problem {
        let find = |section: &&str| {
            let own = format!("{section}.{service}");
            self.places.get(&format!("{own}.{part}")).or_else(|| self.places.get(&own)).cloned()
        };
        let place = SERVICE_SECTIONS.iter().find_map(find);
        Problem { place, text: format!("{service}: {text}"), hint: None }
    }

    fn dependencies(&mut self, stack: &mut Stack) {
        let kinds: BTreeMap<String, Option<bool>> = stack
            .services
            .iter()
            .map(|(key, service)| (key.clone(), can_be_healthy(&service.workload)))
            .collect();
        for (key, service) in &mut stack.services {
            let mut gone = Vec::new();
            for (other, dependency) in &service.depends_on {
                let part = format!("depends_on.{other}");
                match kinds.get(other) {
                    Some(Some(false)) if dependency.condition == Condition::ServiceHealthy => {
                        let text = format!(
                            "it waits for `{other}` to be healthy, which has no health check"
                        );
                        let problem = self.wrong(key, &part, &text).hinted(format!(
                            "Give `{other}` a healthcheck, or write service_started"
                        ));
                        self.report.error(problem);
                    }
                    Some(_) => {}
                    None if !dependency.required => gone.push(other.clone()),
                    None => {
                        let problem =
                            self.no_service(key, &part, other, kinds.keys().map(String::as_str));
                        self.report.error(problem);
                    }
                }
            }
            service.depends_on.retain(|other, _| !gone.contains(other));
        }
    }

    fn no_service<'k>(
        &mut self,
        key: &str,
        part: &str,
        other: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Problem {
        if let Some(profiles) = self.disabled.get(other) {
            let text = format!("it depends on `{other}`, whose profile is not active");
            let profile = profiles.first().map_or("NAME", String::as_str).to_owned();
            return self.wrong(key, part, &text).hinted(format!("Add --profile {profile}"));
        }
        let problem =
            self.wrong(key, part, &format!("it depends on `{other}`, which is not there"));
        match nearest(other, known) {
            Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
            None => problem.hinted("Declare it, or remove it from depends_on"),
        }
    }

    /// Every circle is drawn once: `web -> db -> web`.
    fn cycles(&mut self, stack: &Stack) {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        for start in stack.services.keys() {
            // A walk in depth without recursion: each step knows what is still to be looked at below it.
            let below = |key: &str| -> Vec<&str> {
                stack
                    .services
                    .get(key)
                    .map(|s| s.depends_on.keys().map(String::as_str).collect())
                    .unwrap_or_default()
            };
            if done.contains(start.as_str()) {
                continue;
            }
            let mut path: Vec<(&str, Vec<&str>)> = vec![(start, below(start))];
            while let Some((key, rest)) = path.last_mut() {
                let key = *key;
                let Some(next) = rest.pop() else {
                    done.insert(key);
                    path.pop();
                    continue;
                };
                if let Some(begin) = path.iter().position(|(known, _)| *known == next) {
                    let circle: Vec<&str> =
                        path[begin..].iter().map(|(known, _)| *known).chain([next]).collect();
                    let text = format!("it waits for itself: {}", circle.join(" -> "));
                    let problem = self.wrong(key, &format!("depends_on.{next}"), &text);
                    self.report.error(problem.hinted("Take one depends_on out of the circle"));
                } else if !done.contains(next)
                    && let Some((next, _)) = stack.services.get_key_value(next)
                {
                    path.push((next, below(next)));
                }
            }
        }
    }

    /// Networks, volumes, secrets and configurations that services name are declared.
    fn references(&mut self, stack: &Stack) {
        for (key, service) in &stack.services {
            let networks =
                network(&service.workload).into_iter().flat_map(NetworkMode::connections);
            let networks: Vec<&str> = networks.map(|(name, _)| name.as_str()).collect();
            self.declared(key, "networks", &networks, stack.networks.keys());
            let Workload::Container(container) = &service.workload else {
                let secrets = service.secrets().iter().map(|grant| grant.source.as_str());
                let secrets: Vec<&str> = secrets.collect();
                self.declared(key, "secrets", &secrets, stack.secrets.keys());
                continue;
            };
            let volumes = container.mounts.iter().filter_map(|mount| match &mount.kind {
                MountKind::Volume { source, .. } => Some(source.as_str()),
                _ => None,
            });
            self.declared(key, "volumes", &volumes.collect::<Vec<_>>(), stack.volumes.keys());
            let secrets = container.secrets.iter().map(|grant| grant.source.as_str());
            let built = container.build.iter().flat_map(|build| &build.secrets);
            let built = built.map(|(source, _)| source.as_str());
            self.declared(
                key,
                "secrets",
                &secrets.chain(built).collect::<Vec<_>>(),
                stack.secrets.keys(),
            );
            let configs: Vec<&str> =
                container.configs.iter().map(|grant| grant.source.as_str()).collect();
            self.declared(key, "configs", &configs, stack.configs.keys());
        }
    }

    fn declared<'k>(
        &mut self,
        key: &str,
        section: &str,
        used: &[&str],
        known: impl Iterator<Item = &'k String>,
    ) {
        let known: Vec<&str> = known.map(String::as_str).collect();
        for name in used.iter().filter(|name| !known.contains(name)) {
            let text = format!("it uses `{name}`, which is not declared under `{section}:`");
            let problem = self.wrong(key, &format!("{section}.{name}"), &text);
            self.report.error(match nearest(name, known.iter().copied()) {
                Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
                None if section == "volumes" => problem
                    .hinted(format!("Declare it, or write ./{name} where the folder is meant")),
                None => problem.hinted("Declare it"),
            });
        }
    }

    /// No two workloads want the same port of the host.
    fn ports(&mut self, stack: &Stack) {
        let mut taken: Vec<(&str, &Publish)> = Vec::new();
        for (key, service) in &stack.services {
            for port in ports(&service.workload).iter().filter(|port| port.host.is_some()) {
                if service.replicas > 1 {
                    let text =
                        format!("{} replicas can't all have the port {port}", service.replicas);
                    let problem = self.wrong(key, "ports", &text);
                    self.report.error(
                        problem.hinted("Leave the port of the host out: each gets a free one"),
                    );
                }
                if let Some((other, theirs)) = taken.iter().find(|(_, other)| port.collides(other))
                {
                    let whose =
                        if *other == key { "itself".to_owned() } else { format!("`{other}`") };
                    let text = format!("the port {port} is taken by {theirs} of {whose}");
                    let problem = self.wrong(key, "ports", &text);
                    self.report.error(problem.hinted("Give one of them another port of the host"));
                }
                taken.push((key, port));
            }
        }
    }

    /// Nobody else in a network has a hardware address that is asked for.
    fn hardware_addresses(&mut self, stack: &Stack) {
        let mut taken: BTreeMap<(&str, String), &str> = BTreeMap::new();
        for (key, service) in &stack.services {
            let connections =
                network(&service.workload).into_iter().flat_map(NetworkMode::connections);
            for (name, mac) in connections.filter_map(|(name, to)| Some((name, to.mac_address?))) {
                let other = taken.insert((name, mac.to_string()), key);
                let text = match other {
                    Some(other) => format!("`{other}` has the hardware address {mac} too"),
                    None if service.replicas > 1 => {
                        let count = service.replicas;
                        format!("{count} replicas can't all have the hardware address {mac}")
                    }
                    None => continue,
                };
                let problem = self.wrong(key, &format!("networks.{name}"), &text);
                self.report.error(problem);
            }
        }
    }

    /// Addresses that are asked for lie in the network's subnet, and nobody else has them.
    fn addresses(&mut self, stack: &Stack) {
        let mut taken: BTreeMap<(&str, IpAddr), &str> = BTreeMap::new();
        for (key, service) in &stack.services {
            for (name, connection) in
                network(&service.workload).into_iter().flat_map(NetworkMode::connections)
            {
                let wanted = [
                    connection.ipv4_address.map(IpAddr::from),
                    connection.ipv6_address.map(IpAddr::from),
                ];
                for address in wanted.into_iter().flatten() {
                    let part = format!("networks.{name}");
                    if service.replicas > 1 {
                        let text = format!(
                            "{} replicas can't all have the address {address}",
                            service.replicas
                        );
                        let problem = self.wrong(key, &part, &text);
                        self.report.error(problem);
                    }
                    let known =
                        stack.networks.get(name).filter(|network| network.external == External::No);
                    if let Some(network) = known
                        && !network.pools.iter().any(|pool| pool.subnet.contains(&address))
                    {
                        let problem = self.wrong(
                            key,
                            &part,
                            &format!("no subnet of the network `{name}` has the address {address}"),
                        );
                        self.report.error(problem.hinted(format!(
                            "Give `{name}` a subnet that has it, or leave the address out"
                        )));
                    }
                    if let Some(other) = taken.insert((name, address), key) {
                        let problem = self.wrong(
                            key,
                            &part,
                            &format!("`{other}` has the address {address} too"),
                        );
                        self.report.error(problem);
                    }
                }
            }
        }
    }

    /// Networks of a stack don't overlap.
    fn subnets(&mut self, stack: &Stack) {
        let mut taken: Vec<(&str, ipnet::IpNet)> = Vec::new();
        for (name, network) in &stack.networks {
            for pool in &network.pools {
                let overlaps = |other: &ipnet::IpNet| {
                    pool.subnet.contains(other) || other.contains(&pool.subnet)
                };
                if let Some((other, theirs)) = taken.iter().find(|(_, other)| overlaps(other)) {
                    let text = format!(
                        "networks.{name}: its subnet {} overlaps {theirs} of `{other}`",
                        pool.subnet
                    );
                    let place = self.places.get(&format!("networks.{name}")).cloned();
                    self.report.error(Problem { place, text, hint: None });
                }
                taken.push((name, pool.subnet));
            }
        }
    }

    /// What services are called on the host and on networks.
    fn names(&mut self, stack: &Stack) {
        let mut taken: BTreeMap<Name, &str> = BTreeMap::new();
        for (key, service) in &stack.services {
            let given =
                service.container().is_some_and(|container| container.container_name.is_some());
            if given && service.replicas > 1 {
                let text =
                    format!("{} replicas can't all have the same container_name", service.replicas);
                let problem = self.wrong(key, "container_name", &text);
                self.report.error(problem.hinted("Remove container_name"));
                continue;
            }
            let names =
                (1..=service.replicas).map(|replica| names::of_replica(stack, key, replica));
            for name in names {
                if let Some(other) = taken.get(&name) {
                    let text = format!("it is called `{name}` on the host, as `{other}` is");
                    let problem = self.wrong(key, "container_name", &text);
                    self.report.error(problem.hinted("Rename one of them"));
                    break;
                }
                taken.insert(name, key);
            }
            if network(&service.workload).is_some()
                && let Some(plain) = changed(key)
                && key.parse::<Alias>().is_err()
            {
                let text =
                    format!("others find it as `{plain}`: names in Volt are of a-z, 0-9 and -");
                let problem = self.wrong(key, "", &text);
                self.report.warn(problem);
            }
        }
        let networks =
            stack.networks.iter().map(|(key, one)| (key, one.name.as_deref(), one.external));
        self.called("networks", networks.collect(), |key| names::of_network(stack, key));
        let volumes =
            stack.volumes.iter().map(|(key, one)| (key, one.name.as_deref(), one.external));
        self.called("volumes", volumes.collect(), |key| names::of_volume(stack, key));
        let secrets =
            stack.secrets.iter().map(|(key, one)| (key, one.name.as_deref(), one.external()));
        self.called("secrets", secrets.collect(), |key| names::of_secret(stack, key));
    }

    /// What networks, volumes or secrets are called on the host.
    fn called(
        &mut self,
        section: &str,
        all: Vec<(&String, Option<&str>, External)>,
        of: impl Fn(&str) -> Name,
    ) {
        let mut taken: BTreeMap<Name, &str> = BTreeMap::new();
        for (key, given, external) in all {
            let name = of(key);
            let place = self.places.get(&format!("{section}.{key}")).cloned();
            let said = given.or((external == External::Yes).then_some(key.as_str()));
            if let Some(said) = said.filter(|said| *said != name.as_str()) {
                let text =
                    format!("{section}.{key}: `{said}` is no name in Volt; `{name}` is meant");
                self.report.warn(Problem { place: place.clone(), text, hint: None });
            }
            if let Some(other) = taken.insert(name.clone(), key) {
                let text =
                    format!("{section}.{key}: it is called `{name}` on the host, as `{other}` is");
                self.report.error(Problem {
                    place,
                    text,
                    hint: Some("Rename one of them".to_owned()),
                });
            }
        }
    }

    /// Nothing is mounted where something else is.
    fn targets(&mut self, stack: &Stack) {
        for (key, service) in &stack.services {
            let Some(container) = service.container() else { continue };
            let mut seen = BTreeSet::new();
            for target in all_targets(container).filter(|target| !seen.insert(*target)) {
                let problem =
                    self.wrong(key, "volumes", &format!("two things are mounted at {target}"));
                self.report.error(problem.hinted("Keep one of them"));
            }
            // One with `..` was refused when it was read.
            let plain = |grant: &&Grant| grant.target.split('/').all(|part| part != "..");
            for grant in container.secrets.iter().filter(plain) {
                if let Err(error) = launch::secret(stack, grant).to_string().parse::<SecretMount>()
                {
                    let problem = self.wrong(key, "secrets", &error.to_string());
                    self.report.error(problem);
                }
            }
        }
    }
}

/// The name that a key becomes, where it is another.
fn changed(key: &str) -> Option<Name> {
    names::plain(key).filter(|plain| plain.as_str() != key)
}

fn all_targets(container: &Container) -> impl Iterator<Item = &str> {
    let mounts = container.mounts.iter().map(|mount| mount.target.as_str());
    let tmpfs = container.tmpfs.iter().map(|tmpfs| tmpfs.target.as_str());
    let grants =
        container.secrets.iter().chain(&container.configs).map(|grant| grant.target.as_str());
    mounts.chain(tmpfs).chain(grants)
}

/// Whether it can ever be healthy; nothing where only the image knows.
fn can_be_healthy(workload: &Workload) -> Option<bool> {
    let health = match workload {
        Workload::Container(container) => container.health.as_ref(),
        Workload::Vm(vm) => vm.health.as_ref(),
        Workload::Service(unit) => {
            return Some(unit.health.as_ref().is_some_and(|health| health.check.is_some()));
        }
        Workload::Task(_) => return Some(false),
    };
    health.and_then(|health| health.check.as_ref()).map(|check| *check != Check::None)
}
