//! The order in which a stack starts, and pictures of it.

mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use svg::svg;
pub use text::text;

use crate::stack::{Condition, NetworkMode, Service, Stack, Workload};
use std::collections::BTreeMap;

/// The services in the order of their start: what is in one level may be started at the same time, after all levels before it.
/// Of a circle, which checking a stack refuses, everything comes last.
#[must_use]
pub fn levels(stack: &Stack) -> Vec<Vec<String>> {
    let mut level: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left: Vec<(&String, &Service)> = stack.services.iter().collect();
    let mut levels: Vec<Vec<String>> = Vec::new();
    while !left.is_empty() {
        let known = |other: &String| {
            level.contains_key(other.as_str()) || !stack.services.contains_key(other)
        };
        let (ready, waiting): (Vec<_>, Vec<_>) =
            left.iter().copied().partition(|(_, service)| service.depends_on.keys().all(known));
        let next = if ready.is_empty() { std::mem::take(&mut left) } else { ready };
        level.extend(next.iter().map(|(key, _)| (key.as_str(), levels.len())));
        levels.push(next.into_iter().map(|(key, _)| key.clone()).collect());
        left = if left.is_empty() { Vec::new() } else { waiting };
    }
    levels
}

/// What a picture says of a service, in one line each.
fn facts(stack: &Stack, key: &str) -> Vec<String> {
    let Some(service) = stack.services.get(key) else { return Vec::new() };
    let mut facts = Vec::new();
    let count =
        if service.replicas == 1 { String::new() } else { format!(" × {}", service.replicas) };
    let what = match &service.workload {
        Workload::Container(container) => {
            let image = container
                .image
                .as_ref()
                .map_or_else(|| "built here".to_owned(), ToString::to_string);
            let kind = container.isolation.as_str();
            format!("{kind} {image}")
        }
        Workload::Vm(vm) => format!("vm {}", vm.image),
        Workload::Service(unit) => {
            format!("service {}", unit.exec.first().map_or("", String::as_str))
        }
        Workload::Task(task) => format!("task {}", task.exec.first().map_or("", String::as_str)),
    };
    facts.push(format!("{what}{count}"));
    let (network, ports) = match &service.workload {
        Workload::Container(container) => (Some(&container.network), &container.ports[..]),
        Workload::Vm(vm) => (Some(&vm.network), &vm.ports[..]),
        Workload::Service(_) | Workload::Task(_) => (None, &[][..]),
    };
    if !ports.is_empty() {
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        facts.push(format!("ports {}", ports.join(", ")));
    }
    match network {
        Some(NetworkMode::Host) => facts.push("network of the host".to_owned()),
        Some(NetworkMode::Service(other)) => facts.push(format!("network of {other}")),
        Some(NetworkMode::Container(other)) => facts.push(format!("network of {other}")),
        Some(network) => {
            let names: Vec<&str> = network.connections().map(|(name, _)| name.as_str()).collect();
            if !names.is_empty() && names != ["default"] {
                facts.push(format!("networks {}", names.join(", ")));
            }
        }
        None => {}
    }
    let volumes = volumes(service);
    if !volumes.is_empty() {
        facts.push(format!("volumes {}", volumes.join(", ")));
    }
    facts
}

/// The volumes that a service mounts, by key.
fn volumes(service: &Service) -> Vec<&str> {
    let mounts = service.container().map(|container| &container.mounts[..]).unwrap_or_default();
    let named = mounts.iter().filter_map(|mount| match &mount.kind {
        crate::stack::MountKind::Volume { source, .. } => Some(source.as_str()),
        _ => None,
    });
    named.collect()
}

/// What stands at an arrow; nothing for the usual.
fn label(condition: Condition) -> &'static str {
    match condition {
        Condition::ServiceStarted => "",
        Condition::ServiceHealthy => "healthy",
        Condition::ServiceCompletedSuccessfully => "completed",
    }
}
