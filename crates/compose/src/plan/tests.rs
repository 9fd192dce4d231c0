//! Tests of plans: what is done for a change, and what holds of every plan.

use super::*;
use crate::stack::{NetworkMode, Service, Stack, Workload};
use crate::testing::stack;
use crate::{hash, names};
use proptest::prelude::*;

const SHOP: &str = "name: shop\nservices:\n  web: {image: web, ports: ['80:80'], depends_on: {api: {condition: service_healthy, restart: true}}}\n  api: {image: api, scale: 2, depends_on: {db: {condition: service_healthy}, init: {condition: service_completed_successfully}}}\n  init: {image: init, depends_on: [db]}\n  db: {image: db, volumes: ['data:/d']}\nvolumes: {data: }\n";

fn plan(stack: &Stack, have: &Have) -> Plan {
    up(stack, have, &Hashes::default(), &Options::default())
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {} {}", step.action, step.kind, step.name)).collect()
}

/// What a workload of a service has.
fn holds(stack: &Stack, key: &str) -> Vec<Hold> {
    let service = &stack.services[key];
    let networks = up::network_mode(service).into_iter().flat_map(NetworkMode::connections);
    let place = |(key, _): (&String, &_)| Hold::Network(names::of_network(stack, key).to_string());
    networks.map(place).chain(hold::wanted(stack, service)).collect()
}

/// Nobody else has what is to be had by this step.
fn is_free(stack: &Stack, have: &Have, step: &Step) -> bool {
    let wanted = match (step.kind, step.action) {
        (Kind::Network, Action::Recreate) => vec![Hold::Network(step.name.clone())],
        (Kind::Workload, Action::Create | Action::Recreate | Action::Start) => {
            hold::wanted(stack, &stack.services[&step.key])
        }
        _ => return true,
    };
    hold::holders(have, &wanted, &step.name).is_empty()
}

/// What is there once the steps are done.
fn done(stack: &Stack, have: &Have, plan: &Plan) -> Have {
    let mut have = have.clone();
    for step in &plan.steps {
        assert!(is_free(stack, &have, step), "{step:?} in {:#?}", lines(plan));
        match (step.kind, step.action) {
            (Kind::Network, Action::Remove) => drop(have.networks.remove(&step.name)),
            (Kind::Volume, Action::Remove) => drop(have.volumes.remove(&step.name)),
            (Kind::Secret, Action::Remove) => drop(have.secrets.remove(&step.name)),
            (Kind::Secret, _) => drop(have.secrets.insert(step.name.clone(), "1".to_owned())),
            (Kind::Workload, Action::Remove) => drop(have.workloads.remove(&step.name)),
            (Kind::Network, _) => {
                drop(have.networks.insert(step.name.clone(), hash::of(&stack.networks[&step.key])));
            }
            (Kind::Volume, _) => {
                drop(have.volumes.insert(step.name.clone(), hash::of(&stack.volumes[&step.key])));
            }
            (Kind::Workload, Action::Create | Action::Recreate) => {
                let existing = Existing {
                    service: step.key.clone(),
                    replica: step.replica,
                    hash: hash::of_service(stack, &step.key, &[]),
                    state: State::Stopped,
                    holds: holds(stack, &step.key),
                };
                have.workloads.insert(step.name.clone(), existing);
            }
            (Kind::Workload, Action::Stop) => {
                let stopped = have.workloads.get_mut(&step.name).unwrap();
                stopped.state = State::Stopped;
                stopped.holds.retain(|hold| !matches!(hold, Hold::Address(..)));
            }
            (Kind::Workload, _) => {
                have.workloads.get_mut(&step.name).unwrap().state = State::Running;
            }
        }
    }
    have
}

fn is_up(text: &str) -> (Stack, Have) {
    let found = stack(text);
    let have = done(&found, &Have::default(), &plan(&found, &Have::default()));
    (found, have)
}

#[test]
fn from_nothing_everything_is_made_in_order() {
    let found = stack(SHOP);
    let plan = plan(&found, &Have::default());
    assert_eq!(
        lines(&plan),
        [
            "create network shop-default",
            "create volume shop-data",
            "create workload shop-db-1",
            "create workload shop-init-1",
            "create workload shop-api-1",
            "create workload shop-api-2",
            "create workload shop-web-1",
            "start workload shop-db-1",
            "start workload shop-init-1",
            "start workload shop-api-1",
            "start workload shop-api-2",
            "start workload shop-web-1",
        ]
    );
    // Everything is made at the same time, and started when all is there, in order.
    assert!(plan.steps[2..7].iter().all(|step| step.after.iter().all(|before| *before < 2)));
    let api = &plan.steps[9];
    assert_eq!(api.waits.len(), 2);
    assert_eq!(api.after, BTreeSet::from([0, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn a_second_up_does_nothing() {
    let (found, mut have) = is_up(SHOP);
    assert!(plan(&found, &have).is_empty());
    // What others wait for to be done is not done twice.
    have.workloads.get_mut("shop-init-1").unwrap().state = State::Ended { well: true };
    assert!(plan(&found, &have).is_empty());
    have.workloads.get_mut("shop-init-1").unwrap().state = State::Ended { well: false };
    assert_eq!(lines(&plan(&found, &have)), ["start workload shop-init-1"]);
    have.workloads.get_mut("shop-init-1").unwrap().state = State::Paused;
    assert_eq!(lines(&plan(&found, &have)), ["unpause workload shop-init-1"]);
    // A start under way is joined: what comes after it needs it.
    have.workloads.get_mut("shop-init-1").unwrap().state = State::Starting;
    assert_eq!(lines(&plan(&found, &have)), ["start workload shop-init-1"]);
    let all = Options::default();
    assert_eq!(turn(&found, &have, Action::Stop, &all).steps.len(), 5);
}

#[test]
fn only_what_changed_and_who_asks_for_it() {
    let (_, have) = is_up(SHOP);
    let with = |from: &str, to: &str| lines(&plan(&stack(&SHOP.replace(from, to)), &have));
    assert_eq!(
        with("image: web", "image: web2"),
        ["recreate workload shop-web-1", "start workload shop-web-1"]
    );
    // web asks to be started again when api was; nobody asks that of db.
    assert_eq!(
        with("image: api", "image: api2"),
        [
            "recreate workload shop-api-1",
            "start workload shop-api-1",
            "recreate workload shop-api-2",
            "start workload shop-api-2",
            "restart workload shop-web-1"
        ]
    );
    assert_eq!(
        with("image: db", "image: db2"),
        ["recreate workload shop-db-1", "start workload shop-db-1"]
    );
    assert_eq!(
        with("scale: 2", "scale: 3"),
        ["create workload shop-api-3", "start workload shop-api-3"]
    );
    assert_eq!(with("scale: 2", "scale: 1"), ["remove workload shop-api-2"]);
}

#[test]
fn a_network_that_changed_takes_its_members_with_it() {
    let (_, have) = is_up(SHOP);
    let found = stack(&format!("{SHOP}networks: {{default: {{internal: true}}}}\n"));
    let plan = plan(&found, &have);
    let steps = lines(&plan);
    assert_eq!(steps.iter().filter(|step| step.starts_with("stop")).count(), 5);
    assert_eq!(steps.iter().filter(|step| step.starts_with("recreate workload")).count(), 5);
    let network = steps.iter().position(|step| step == "recreate network shop-default").unwrap();
    assert!(plan.steps[network].after.len() == 5);
    assert!(
        plan.steps
            .iter()
            .filter(|s| s.action == Action::Recreate && s.kind == Kind::Workload)
            .all(|s| s.after.contains(&network))
    );
}

#[test]
fn what_the_file_has_no_more() {
    let (found, mut have) = is_up(SHOP);
    have.workloads.insert("shop-old-1".into(), orphan(Vec::new()));
    let kept = plan(&found, &have);
    assert!(kept.is_empty() && kept.notes.len() == 1);
    let options = Options { remove_orphans: true, ..Options::default() };
    assert_eq!(
        lines(&up(&found, &have, &Hashes::default(), &options)),
        ["remove workload shop-old-1"]
    );
    have.volumes.insert("shop-data".into(), "b3:other".into());
    assert!(plan(&found, &have).is_empty() && plan(&found, &have).notes.len() == 2);
}

/// One that runs and whose service no file has.
fn orphan(holds: Vec<Hold>) -> Existing {
    let (service, hash) = ("old".to_owned(), String::new());
    Existing { service, replica: 1, hash, state: State::Running, holds }
}

/// The lines of the plan from one file to another, of which the second leads there, and what is there then.
fn change(first: &str, second: &str, options: &Options) -> (Vec<String>, Have) {
    let (_, have) = is_up(first);
    let two = stack(second);
    let plan = up(&two, &have, &Hashes::default(), options);
    let after = done(&two, &have, &plan);
    let again = lines(&up(&two, &after, &Hashes::default(), options));
    assert_eq!(again, [""; 0], "after {:#?}", lines(&plan));
    (lines(&plan), after)
}

#[test]
fn a_name_moves_from_one_service_to_another() {
    let first = "name: s\nservices: {a: {image: x, container_name: front}, b: {image: x}}\n";
    let second = "name: s\nservices: {a: {image: x}, b: {image: x, container_name: front}}\n";
    let (steps, after) = change(first, second, &Options::default());
    // The old one makes room when the new one is made; nothing removes that.
    assert_eq!(
        steps,
        [
            "remove workload s-b-1",
            "create workload s-a-1",
            "start workload s-a-1",
            "recreate workload front",
            "start workload front"
        ]
    );
    assert_eq!(after.workloads["front"].service, "b");
    // Both at once, and one that stays as it is otherwise.
    let first = "name: s\nservices: {a: {image: x, container_name: one}, b: {image: x, container_name: two}}\n";
    let second = "name: s\nservices: {a: {image: x, container_name: two}, b: {image: x, container_name: one}}\n";
    for options in [Options::default(), Options { keep: true, ..Options::default() }] {
        let (_, after) = change(first, second, &options);
        assert_eq!((&after.workloads["one"].service[..], after.workloads.len()), ("b", 2));
    }
}

#[test]
fn a_network_of_who_is_not_asked_for_stays() {
    let (_, have) = is_up(SHOP);
    let found = stack(&format!("{SHOP}networks: {{default: {{internal: true}}}}\n"));
    let one = Options { services: vec!["db".into()], ..Options::default() };
    let plan = up(&found, &have, &Hashes::default(), &one);
    assert_eq!(lines(&plan), ["recreate workload shop-db-1", "start workload shop-db-1"]);
    assert!(plan.notes[0].contains("shop-default"), "{:?}", plan.notes);
    // Nor is there anything of them that would be too much.
    let fewer = stack(&SHOP.replace("scale: 2", "scale: 1"));
    assert!(up(&fewer, &have, &Hashes::default(), &one).is_empty());
    // Who is asked for alone, with all that use it, has it made anew.
    let all = Options { services: vec!["web".into()], ..Options::default() };
    let all = lines(&up(&found, &have, &Hashes::default(), &all));
    assert!(all.contains(&"recreate network shop-default".to_owned()), "{all:#?}");
}

#[test]
fn what_the_file_has_no_more_leaves_a_network_that_is_made_anew() {
    let (_, mut have) = is_up(SHOP);
    have.workloads.insert("shop-old-1".into(), orphan(vec![Hold::Network("shop-default".into())]));
    let found = stack(&format!("{SHOP}networks: {{default: {{internal: true}}}}\n"));
    let with = |remove_orphans| {
        let options = Options { remove_orphans, ..Options::default() };
        let plan = up(&found, &have, &Hashes::default(), &options);
        let network = plan.steps.iter().find(|step| step.kind == Kind::Network).unwrap();
        let old = plan.steps.iter().position(|step| step.key == "old").unwrap();
        assert!(network.after.contains(&old));
        (plan.steps[old].action, plan.notes.len(), done(&found, &have, &plan))
    };
    let (action, notes, after) = with(false);
    assert_eq!((action, notes), (Action::Stop, 2));
    assert_eq!(after.workloads["shop-old-1"].state, State::Stopped);
    let (action, notes, after) = with(true);
    assert_eq!((action, notes, after.workloads.len()), (Action::Remove, 0, 5));
}

#[test]
fn ports_and_addresses_move_from_one_service_to_another() {
    let file = |a: &str, b: &str| {
        format!(
            "name: s\nservices:\n  a: {{image: x, {a}}}\n  b: {{image: x, depends_on: [a], {b}}}\nnetworks: {{default: {{ipam: {{config: [{{subnet: 10.9.0.0/24}}]}}}}}}\n"
        )
    };
    let (port, other) = ("ports: ['80:80']", "ports: ['127.0.0.1:81:80']");
    let range = "ports: ['70-90:70-90']";
    let ip = "networks: {default: {ipv4_address: 10.9.0.9}}";
    let options = Options::default();
    // What was to be free is looked at by `done`.
    for (one, two, three, four) in
        [(port, "", "", port), (port, other, other, port), (range, "", "", port), (ip, "", "", ip)]
    {
        let (steps, _) = change(&file(one, two), &file(three, four), &options);
        assert!(steps.contains(&"stop workload s-a-1".to_owned()), "{steps:#?}");
        let (steps, _) = change(&file("", one), &file(one, ""), &options);
        assert!(steps.contains(&"stop workload s-b-1".to_owned()), "{steps:#?}");
    }
    // To one that was not there, from one that is gone, and from one that was not asked for.
    let new = "name: s\nservices: {c: {image: x, ports: ['80:80']}}\n";
    let (steps, after) = change(&file(port, ""), new, &options);
    assert_eq!(steps[0], "stop workload s-a-1");
    assert_eq!(after.workloads["s-a-1"].state, State::Stopped);
    let gone = Options { remove_orphans: true, ..Options::default() };
    let (steps, _) = change(&file(port, ip), new, &gone);
    assert!(!steps.iter().any(|step| step.starts_with("stop")), "{steps:#?}");
    // An address that one has by chance, who gets another.
    let (found, mut have) = is_up(&file("", ""));
    let taken = Hold::Address("s-default".into(), "10.9.0.9".parse().unwrap());
    have.workloads.get_mut("s-a-1").unwrap().holds.push(taken);
    assert!(plan(&found, &have).is_empty());
    let found = stack(&file("", ip));
    let plan = plan(&found, &have);
    assert_eq!(lines(&plan)[..2], ["stop workload s-a-1", "recreate workload s-a-1"]);
    drop(done(&found, &have, &plan));
}

#[test]
fn options_of_up() {
    let found = stack(SHOP);
    let with =
        |options: Options| lines(&up(&found, &Have::default(), &Hashes::default(), &options));
    let one = Options { services: vec!["init".into()], ..Options::default() };
    assert_eq!(with(one.clone()).len(), 6);
    assert_eq!(
        with(Options { no_dependencies: true, ..one.clone() }),
        [
            "create network shop-default",
            "create workload shop-init-1",
            "start workload shop-init-1"
        ]
    );
    let before = Options { before: Some("init".into()), ..one.clone() };
    assert_eq!(
        with(before),
        [
            "create network shop-default",
            "create volume shop-data",
            "create workload shop-db-1",
            "start workload shop-db-1"
        ]
    );
    assert_eq!(
        with(Options { no_start: true, ..one })
            .iter()
            .filter(|line| line.starts_with("start"))
            .count(),
        0
    );
    let (found, have) = is_up(SHOP);
    let force = Options { force: true, ..Options::default() };
    assert_eq!(
        up(&found, &have, &Hashes::default(), &force)
            .steps
            .iter()
            .filter(|s| s.action == Action::Recreate)
            .count(),
        5
    );
    let other = stack(&SHOP.replace("image: db", "image: db2"));
    assert!(
        up(&other, &have, &Hashes::default(), &Options { keep: true, ..Options::default() })
            .is_empty()
    );
    let services = BTreeMap::from([("db".to_owned(), "b3:new image".to_owned())]);
    let hashes = Hashes { services, ..Hashes::default() };
    assert_eq!(up(&found, &have, &hashes, &Options::default()).steps.len(), 2);
}

#[test]
fn down_goes_against_the_order() {
    let (found, have) = is_up(SHOP);
    let all = Options { volumes: true, ..Options::default() };
    let plan = down(&found, &have, &all);
    let lines = lines(&plan);
    assert_eq!(lines.first().unwrap(), "remove workload shop-web-1");
    assert_eq!(
        lines[lines.len() - 3..],
        ["remove workload shop-db-1", "remove network shop-default", "remove volume shop-data"]
    );
    assert_eq!(done(&found, &have, &plan), Have::default());
    assert_eq!(down(&found, &have, &Options::default()).steps.len(), 6);
}

fn stacks() -> impl Strategy<Value = String> {
    let service = (
        0_u8..3,
        1_u8..4,
        any::<bool>(),
        any::<bool>(),
        0_u16..12,
        prop::collection::vec((0_usize..6, any::<bool>()), 0..4),
    );
    prop::collection::vec(service, 6).prop_map(|services| {
        let mut text = "name: p\nvolumes: {v: }\nservices:\n".to_owned();
        let mut taken = BTreeSet::new();
        for (n, (image, scale, volume, gone, port, on)) in services.iter().enumerate() {
            if *gone && n == 0 {
                continue;
            }
            let mut on: Vec<String> = on
                .iter()
                .filter(|(other, _)| *other < n && (*other > 0 || !services[0].3))
                .map(|(other, restart)| {
                    format!("s{other}: {{condition: service_started, restart: {restart}}}")
                })
                .collect();
            on.sort();
            on.dedup_by(|a, b| a[..2] == b[..2]);
            // Only one of a service can have a port, and only one service.
            let port = port % 4;
            let has_port = *scale == 1 && taken.insert(port);
            let port =
                if has_port { format!(", ports: ['{}:80']", 80 + port) } else { String::new() };
            let volume = if *volume { ", volumes: ['v:/v']" } else { "" };
            text += &format!(
                "  s{n}: {{image: i{image}, scale: {scale}, depends_on: {{{}}}{volume}{port}}}\n",
                on.join(", ")
            );
        }
        text
    })
}

/// Every step comes behind those that it names, and behind every step of what its service depends on.
fn in_order(stack: &Stack, plan: &Plan) -> bool {
    let numbered = plan.steps.iter().enumerate();
    numbered.clone().all(|(number, step)| step.after.iter().all(|before| *before < number))
        && numbered.clone().filter(|(_, step)| step.action == Action::Start).all(|(_, step)| {
            let service = &stack.services[&step.key];
            numbered
                .clone()
                .filter(|(_, other)| {
                    service.depends_on.contains_key(&other.key)
                        && matches!(other.action, Action::Start | Action::Restart)
                })
                .all(|(other, _)| step.after.contains(&other))
        })
}

fn uses_default(service: &Service) -> bool {
    match &service.workload {
        Workload::Container(container) => {
            matches!(&container.network, NetworkMode::Networks(n) if n.contains_key("default"))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_plan_leads_there_and_a_second_is_empty(first in stacks(), second in stacks()) {
        let (one, two) = (stack(&first), stack(&second));
        let options = Options { remove_orphans: true, ..Options::default() };
        let none = Hashes::default();
        let plan = up(&one, &Have::default(), &none, &options);
        prop_assert!(in_order(&one, &plan));
        let have = done(&one, &Have::default(), &plan);
        prop_assert!(up(&one, &have, &none, &options).is_empty());

        let change = up(&two, &have, &none, &options);
        prop_assert!(in_order(&two, &change));
        let after = done(&two, &have, &change);
        prop_assert!(up(&two, &after, &none, &options).is_empty());
        let wanted: u32 = two.services.values().map(|service| service.replicas).sum();
        prop_assert_eq!(after.workloads.len(), usize::try_from(wanted).unwrap());
        prop_assert!(two.services.values().all(uses_default));

        // What is as it was is left alone, but for those who ask to be started again.
        for step in change.steps.iter().filter(|step| step.action == Action::Recreate) {
            prop_assert_ne!(&have.workloads[&step.name].hash, &hash::of_service(&two, &step.key, &[]));
        }
        for step in change.steps.iter().filter(|step| step.action == Action::Restart) {
            let on = &two.services[&step.key].depends_on;
            let asks = change.steps.iter().any(|other| on.get(&other.key).is_some_and(|d| d.restart) && matches!(other.action, Action::Recreate | Action::Restart));
            prop_assert!(asks);
        }

        let nothing = done(&two, &after, &down(&two, &after, &Options { volumes: true, ..options }));
        prop_assert_eq!(nothing, Have::default());
    }

    #[test]
    fn names_of_replicas_are_their_own(text in stacks()) {
        let found = stack(&text);
        let all = found.services.iter().flat_map(|(key, service)| (1..=service.replicas).map(|n| names::of_replica(&found, key, n)));
        let all: Vec<_> = all.collect();
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}

#[test]
fn what_is_there_is_started_and_stopped_in_order() {
    let (found, mut have) = is_up(SHOP);
    let all = Options::default();
    assert!(turn(&found, &have, Action::Start, &all).is_empty());
    let stop = turn(&found, &have, Action::Stop, &all);
    assert_eq!(lines(&stop).first().unwrap(), "stop workload shop-web-1");
    assert_eq!(lines(&stop).last().unwrap(), "stop workload shop-db-1");
    assert_eq!(stop.steps[1].after, BTreeSet::from([0]));
    have = done(&found, &have, &stop);
    assert!(turn(&found, &have, Action::Stop, &all).is_empty());
    have.workloads.get_mut("shop-init-1").unwrap().state = State::Ended { well: true };
    let start = turn(&found, &have, Action::Start, &all);
    assert_eq!(
        lines(&start),
        [
            "start workload shop-db-1",
            "start workload shop-api-1",
            "start workload shop-api-2",
            "start workload shop-web-1"
        ]
    );
    // Each waits for what it depends on to be well, if that is started too.
    let waits = |plan: &Plan| plan.steps.iter().map(|step| step.waits.len()).collect::<Vec<_>>();
    assert_eq!(waits(&start), [0, 2, 2, 1]);
    assert!(stop.steps.iter().all(|step| step.waits.is_empty()));
    let one = Options { services: vec!["web".into()], ..all.clone() };
    assert_eq!(waits(&turn(&found, &have, Action::Restart, &one)), [0]);
    let one = Options { services: vec!["db".into()], ..all };
    let again = turn(&found, &have, Action::Restart, &one);
    assert_eq!(lines(&again), ["restart workload shop-db-1"]);
}

#[test]
fn who_says_so_is_restarted_with_what_he_depends_on() {
    let (found, mut have) = is_up(SHOP);
    let one = Options { services: vec!["api".into()], ..Options::default() };
    let again = ["restart workload shop-api-1", "restart workload shop-api-2"];
    let with_web = [again[0], again[1], "restart workload shop-web-1"];
    let restart = turn(&found, &have, Action::Restart, &one);
    assert_eq!(lines(&restart), with_web);
    assert_eq!(restart.steps[2].after, BTreeSet::from([0, 1]));
    assert_eq!(lines(&turn(&found, &have, Action::Stop, &one)).len(), 2);
    // Who is down stays so.
    have.workloads.get_mut("shop-web-1").unwrap().state = State::Stopped;
    assert_eq!(lines(&turn(&found, &have, Action::Restart, &one)), again);
}

#[test]
fn who_shares_a_network_is_restarted_once() {
    let text = "name: s\nservices: {a: {image: x, network_mode: 'service:b'}, b: {image: x}}\n";
    let (found, have) = is_up(text);
    let all = turn(&found, &have, Action::Restart, &Options::default());
    assert_eq!(
        lines(&all),
        ["stop workload s-a-1", "restart workload s-b-1", "start workload s-a-1"]
    );
    let after: Vec<_> = all.steps.iter().map(|step| step.after.clone()).collect();
    assert_eq!(after, [BTreeSet::new(), BTreeSet::from([0]), BTreeSet::from([0, 1])]);
    // Alone it is started again as any other.
    let one = Options { services: vec!["a".into()], ..Options::default() };
    assert_eq!(lines(&turn(&found, &have, Action::Restart, &one)), ["restart workload s-a-1"]);
}

#[test]
fn who_shares_a_network_that_was_made_anew_comes_back_unasked() {
    let text = "name: s\nservices: {a: {image: x, network_mode: 'service:b'}, b: {image: x}}\n";
    let (_, mut have) = is_up(text);
    let changed = stack(&text.replace("b: {image: x}", "b: {image: y}"));
    let one = Options { services: vec!["b".into()], ..Options::default() };
    let anew = ["recreate workload s-b-1", "start workload s-b-1"];
    let with_a = [anew[0], anew[1], "restart workload s-a-1"];
    let planned = up(&changed, &have, &Hashes::default(), &one);
    assert_eq!(lines(&planned), with_a);
    assert_eq!(planned.steps[2].after, BTreeSet::from([0, 1]));
    // Who is down stays so.
    have.workloads.get_mut("s-a-1").unwrap().state = State::Stopped;
    assert_eq!(lines(&up(&changed, &have, &Hashes::default(), &one)), anew);
}

#[test]
fn secrets_are_made_and_changed_before_who_has_them() {
    let found = stack(
        "name: s\nservices: {a: {image: x, secrets: [key]}}\nsecrets: {key: {file: /key}, other: {file: /other}}\n",
    );
    let with = |mark: &str| Hashes {
        secrets: BTreeMap::from([("key".to_owned(), mark.to_owned())]),
        ..Hashes::default()
    };
    let first = up(&found, &Have::default(), &with("1"), &Options::default());
    assert_eq!(
        lines(&first),
        [
            "create network s-default",
            "create secret s-key",
            "create workload s-a-1",
            "start workload s-a-1"
        ]
    );
    let have = done(&found, &Have::default(), &first);
    assert!(up(&found, &have, &with("1"), &Options::default()).is_empty());
    // Nobody said what it is: it stays.
    assert!(up(&found, &have, &Hashes::default(), &Options::default()).is_empty());
    let changed = up(&found, &have, &with("2"), &Options::default());
    assert_eq!(lines(&changed), ["recreate secret s-key"]);
    let keep = Options { keep: true, ..Options::default() };
    assert!(up(&found, &have, &with("2"), &keep).is_empty());
    // A command was killed while it wrote it.
    let mut half = have.clone();
    half.secrets.insert("s-key".to_owned(), String::new());
    assert_eq!(lines(&up(&found, &half, &with("2"), &keep)), ["recreate secret s-key"]);
    let gone = down(&found, &have, &Options::default());
    assert_eq!(lines(&gone).last().unwrap(), "remove secret s-key");
    // Services of systemd and tasks have them too.
    let found = stack(
        "name: s\nservices: {a: {exec: /x, secrets: [key]}}\ntasks: {t: {exec: /x, every: 5m, secrets: [other]}}\nsecrets: {key: {file: /key}, other: {file: /other}}\n",
    );
    let first = up(&found, &Have::default(), &with("1"), &Options::default());
    assert_eq!(
        lines(&first)[..4],
        [
            "create secret s-key",
            "create secret s-other",
            "create workload s-a-1",
            "create workload s-t-1"
        ]
    );
    assert_eq!([2, 3].map(|n: usize| first.steps[n].after.clone()), [[0], [1]].map(BTreeSet::from));
}

#[test]
fn who_waits_for_what_is_done_waits_for_what_that_waited_for() {
    let text = "name: s\nservices:\n  a: {image: x, depends_on: {b: {condition: service_completed_successfully}}}\n  \
                b: {image: x, depends_on: {c: {condition: service_healthy}}}\n  c: {image: x, healthcheck: {tcp: '5'}}\n";
    let (found, mut have) = is_up(text);
    have.workloads.get_mut("s-b-1").unwrap().state = State::Ended { well: true };
    let again = turn(&found, &have, Action::Restart, &Options::default());
    assert_eq!(lines(&again), ["restart workload s-c-1", "restart workload s-a-1"]);
    assert_eq!(again.steps[1].after, BTreeSet::from([0]));
    let waited: Vec<&str> = again.steps[1].waits.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(waited, ["b", "c"]);
}
