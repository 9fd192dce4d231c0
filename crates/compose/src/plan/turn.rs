//! Starting, stopping and restarting what is there: nothing is made or removed.

use super::{Action, Have, Kind, Options, Plan, State, Step, waits};
use crate::graph;
use crate::stack::{Condition, Stack};
use std::collections::{BTreeMap, BTreeSet};

/// Plans `start`, `stop` or `restart` of the workloads that are there: starts in the order of the stack, stops against it. What is
/// so already is left alone, and so is what others only waited for and that is done.
#[must_use]
pub fn turn(stack: &Stack, have: &Have, action: Action, options: &Options) -> Plan {
    let mut plan = Plan::default();
    let chosen =
        |key: &str| options.services.is_empty() || options.services.iter().any(|one| one == key);
    let mut order: Vec<String> = graph::levels(stack).into_iter().flatten().collect();
    let lost = have.workloads.values().map(|existing| &existing.service);
    let lost: BTreeSet<&String> = lost.filter(|key| !stack.services.contains_key(*key)).collect();
    order.extend(lost.into_iter().cloned());
    if action == Action::Stop {
        order.reverse();
    }
    let mut steps: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for key in order.iter().filter(|key| chosen(key)) {
        let neighbours = stack.services.iter().filter(|(other, service)| match action {
            Action::Stop => service.depends_on.contains_key(key),
            _ => stack.services.get(key).is_some_and(|own| own.depends_on.contains_key(*other)),
        });
        let before: BTreeSet<usize> = neighbours
            .filter_map(|(other, _)| steps.get(other.as_str()))
            .flatten()
            .copied()
            .collect();
        for (name, existing) in have.workloads.iter().filter(|(_, one)| one.service == *key) {
            let Some((action, why)) = wanted(stack, key, existing.state, action) else { continue };
            let mut step = Step::of(action, Kind::Workload, name, key, why);
            step.replica = existing.replica;
            step.after.clone_from(&before);
            if let Some(service) = stack.services.get(key).filter(|_| step.action != Action::Stop) {
                // Who is not asked for stays as it is, well or not.
                let there = |key: &str| have.workloads.values().any(|one| one.service == key);
                let asked =
                    waits(service).filter(|one| chosen(&one.service) && there(&one.service));
                step.waits = asked.collect();
            }
            let number = plan.push(step);
            steps.entry(key).or_default().insert(number);
        }
    }
    plan
}

/// What is done with a workload that stands so, if anything.
fn wanted(
    stack: &Stack,
    key: &str,
    state: State,
    action: Action,
) -> Option<(Action, &'static str)> {
    let awaited = stack.services.values().any(|service| {
        let on = service.depends_on.get(key);
        on.is_some_and(|on| on.condition == Condition::ServiceCompletedSuccessfully)
    });
    match (action, state) {
        (Action::Stop, state) if state.is_up() => Some((Action::Stop, "it runs")),
        (Action::Start, State::Stopped | State::Starting | State::Ended { well: false }) => {
            Some((Action::Start, "it does not run"))
        }
        (Action::Start, State::Ended { well: true }) if !awaited => {
            Some((Action::Start, "it ended"))
        }
        (Action::Restart, State::Ended { well: true }) if awaited => None,
        (Action::Restart, _) => Some((Action::Restart, "it was asked for")),
        _ => None,
    }
}
