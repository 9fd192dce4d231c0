//! From what is there to nothing: who depends on others goes first.

use super::{Action, Have, Kind, Options, Plan, Step};
use crate::stack::{External, Stack};
use crate::{graph, names};
use std::collections::{BTreeMap, BTreeSet};

/// Plans `down`: workloads against the order of their start, then networks, and volumes where that is wanted.
#[must_use]
pub fn down(stack: &Stack, have: &Have, options: &Options) -> Plan {
    let mut plan = Plan::default();
    let chosen =
        |key: &str| options.services.is_empty() || options.services.iter().any(|one| one == key);
    let mut steps: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let order = graph::levels(stack).into_iter().rev().flatten();
    for key in order.filter(|key| chosen(key)) {
        let users =
            stack.services.iter().filter(|(_, service)| service.depends_on.contains_key(&key));
        let before: BTreeSet<usize> =
            users.filter_map(|(user, _)| steps.get(user)).flatten().copied().collect();
        for (name, existing) in
            have.workloads.iter().filter(|(_, existing)| existing.service == key)
        {
            let mut step =
                Step::of(Action::Remove, Kind::Workload, name, &key, "the stack goes down");
            step.replica = existing.replica;
            step.after.clone_from(&before);
            let number = plan.push(step);
            steps.entry(key.clone()).or_default().insert(number);
        }
    }
    for (name, existing) in have
        .workloads
        .iter()
        .filter(|(_, existing)| !stack.services.contains_key(&existing.service))
    {
        let is_disabled = options.disabled.contains(&existing.service);
        if is_disabled && !options.services.is_empty() {
            continue;
        }
        if is_disabled || options.remove_orphans {
            let why =
                if is_disabled { "the stack goes down" } else { "no service of the file has it" };
            let mut step = Step::of(Action::Remove, Kind::Workload, name, &existing.service, why);
            step.replica = existing.replica;
            plan.push(step);
        } else {
            plan.notes.push(format!(
                "{name} belongs to {}, which the file doesn't have; --remove-orphans removes it",
                existing.service
            ));
        }
    }
    if options.services.is_empty() {
        rest(stack, have, options, &mut plan);
    }
    plan
}

/// What no workload uses any more.
fn rest(stack: &Stack, have: &Have, options: &Options, plan: &mut Plan) {
    let all: BTreeSet<usize> = (0..plan.steps.len()).collect();
    let external = |names: &BTreeSet<String>, name: &String| names.contains(name);
    let kept: BTreeSet<String> = stack
        .networks
        .iter()
        .filter(|(_, network)| network.external == External::Yes)
        .map(|(key, _)| names::of_network(stack, key).to_string())
        .collect();
    for name in have.networks.keys().filter(|name| !external(&kept, name)) {
        let mut step = Step::of(Action::Remove, Kind::Network, name, name, "the stack goes down");
        step.after.clone_from(&all);
        plan.push(step);
    }
    let kept: BTreeSet<String> = stack
        .volumes
        .iter()
        .filter(|(_, volume)| volume.external == External::Yes)
        .map(|(key, _)| names::of_volume(stack, key).to_string())
        .collect();
    for name in have.volumes.keys().filter(|name| options.volumes && !external(&kept, name)) {
        let mut step = Step::of(Action::Remove, Kind::Volume, name, name, "volumes were asked for");
        step.after.clone_from(&all);
        plan.push(step);
    }
    for name in have.secrets.keys() {
        let mut step = Step::of(Action::Remove, Kind::Secret, name, name, "the stack goes down");
        step.after.clone_from(&all);
        plan.push(step);
    }
}
