//! Starting, stopping and restarting what is there: nothing is made or removed.

use super::up::shared;
use super::{Action, Existing, Have, Kind, Options, Plan, State, Step, Wait, waits};
use crate::graph;
use crate::stack::Stack;
use std::collections::{BTreeMap, BTreeSet};

/// Plans `start`, `stop` or `restart` of the workloads that are there: starts in the order of the stack, stops against it. What is
/// so already is left alone, and so is what others only waited for and that is done. Who says `restart: true` of one that is started
/// again is too, where he runs; who shares a network is down while the one whose it is starts again.
#[must_use]
pub fn turn(stack: &Stack, have: &Have, action: Action, options: &Options) -> Plan {
    let asked =
        |key: &str| options.services.is_empty() || options.services.iter().any(|one| one == key);
    let chosen = chosen(stack, have, action, options);
    let there = |key: &str| have.workloads.values().any(|one| one.service == key);
    // Whose network's owner is restarted too: systemd would stop and start it with that one.
    let shares = |key: &str| {
        let own = stack.services.get(key).and_then(shared);
        let own = own.filter(|own| chosen.contains(*own) && there(own));
        own.filter(|_| action == Action::Restart)
    };
    let mut order: Vec<String> = graph::levels(stack).into_iter().flatten().collect();
    order.extend(chosen.iter().filter(|key| !stack.services.contains_key(*key)).cloned());
    order.retain(|key| chosen.contains(key));
    if action == Action::Stop {
        order.reverse();
    }
    let (mut plan, mut steps) = (Plan::default(), BTreeMap::<&str, BTreeSet<usize>>::new());
    for (key, owner) in order.iter().filter_map(|key| Some((key, shares(key)?))) {
        for (name, one) in of_service(have, key).filter(|(_, one)| one.state.is_up()) {
            let why = format!("{owner} is started again, whose network it has");
            let step = Step::of(Action::Stop, Kind::Workload, name, key, why);
            let number = plan.push(Step { replica: one.replica, ..step });
            steps.entry(owner.as_str()).or_default().insert(number);
        }
    }
    // What those waited for with whom nothing is done: who is behind them is behind that.
    let mut passed: BTreeMap<&str, Vec<Wait>> = BTreeMap::new();
    for key in &order {
        let neighbours = stack.services.iter().filter(|(other, service)| match action {
            Action::Stop => service.depends_on.contains_key(key),
            _ => {
                let own = stack.services.get(key);
                *other == key || own.is_some_and(|own| own.depends_on.contains_key(*other))
            }
        });
        let before: BTreeSet<usize> = neighbours
            .filter_map(|(other, _)| steps.get(other.as_str()))
            .flatten()
            .copied()
            .collect();
        // Who is not asked for stays as it is, well or not.
        let service = stack.services.get(key).filter(|_| action != Action::Stop);
        let own = service.into_iter().flat_map(waits);
        let own = own.filter(|one| chosen.contains(&one.service) && there(&one.service));
        let on = service.into_iter().flat_map(|service| service.depends_on.keys());
        let of_others = on.filter_map(|other| passed.get(other.as_str())).flatten().cloned();
        let all: Vec<Wait> = own.chain(of_others).collect();
        let mut is_passed = true;
        for (name, existing) in of_service(have, key) {
            let Some((action, why)) = wanted(stack, key, existing.state, action) else { continue };
            if !asked(key) && !existing.state.is_up() {
                continue;
            }
            let action = if shares(key).is_some() { Action::Start } else { action };
            let mut step = Step::of(action, Kind::Workload, name, key, why);
            step.replica = existing.replica;
            step.after.clone_from(&before);
            step.waits.clone_from(&all);
            let number = plan.push(step);
            steps.entry(key).or_default().insert(number);
            is_passed = false;
        }
        if is_passed {
            steps.entry(key).or_default().extend(before);
            passed.insert(key, all);
        }
    }
    plan
}

/// The services that are asked for; with `restart`, also those that say `restart: true` of one of them. Of all, those too that only
/// workloads know of.
fn chosen(stack: &Stack, have: &Have, action: Action, options: &Options) -> BTreeSet<String> {
    if options.services.is_empty() {
        let there = have.workloads.values().map(|existing| &existing.service);
        return stack.services.keys().chain(there).cloned().collect();
    }
    let mut chosen = BTreeSet::new();
    let mut left = options.services.clone();
    while let Some(key) = left.pop() {
        let again = stack.services.iter().filter(|(_, service)| {
            action == Action::Restart && service.depends_on.get(&key).is_some_and(|on| on.restart)
        });
        let again: Vec<String> = again.map(|(other, _)| other.clone()).collect();
        if chosen.insert(key) {
            left.extend(again);
        }
    }
    chosen
}

fn of_service<'a>(have: &'a Have, key: &str) -> impl Iterator<Item = (&'a String, &'a Existing)> {
    have.workloads.iter().filter(move |(_, existing)| existing.service == key)
}

/// What is done with a workload that stands so, if anything.
fn wanted(
    stack: &Stack,
    key: &str,
    state: State,
    action: Action,
) -> Option<(Action, &'static str)> {
    let awaited = stack.is_awaited(key);
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
