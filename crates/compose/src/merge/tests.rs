//! Tests of merging: the examples of the specification, and what holds of any documents.

use super::*;
use crate::yaml::read;
use proptest::prelude::*;
use std::sync::Arc;

fn parse(text: &str) -> Node {
    read(&Arc::from("f.yaml"), text).unwrap()
}

fn merged(base: &str, over: &str) -> Node {
    let mut report = Report::default();
    let mut node = merge(parse(base), parse(over), &mut report);
    assert!(report.is_good(), "{report}");
    settle(&mut node);
    node
}

#[track_caller]
fn same(base: &str, over: &str, wanted: &str) {
    let service = |text: &str| format!("services: {{foo: {{{text}}}}}");
    assert_eq!(merged(&service(base), &service(over)), parse(&service(wanted)));
}

#[test]
fn merge_by_shape() {
    same("key1: a, key2: b", "key2: C, key3: d", "key1: a, key2: C, key3: d");
    same("x: [1]", "x: [2]", "x: [1, 2]");
    same("dns: 1.1.1.1", "dns: [8.8.8.8, 1.1.1.1]", "dns: [1.1.1.1, 8.8.8.8]");
    same("user: a", "user: ", "user: a");
}

#[test]
fn merge_commands_are_replaced() {
    same("command: [echo, foo]", "command: [echo, bar]", "command: [echo, bar]");
    same("command: echo a", "command: [b]", "command: [b]");
    same(
        "healthcheck: {test: [CMD, a], retries: 3}",
        "healthcheck: {test: b}",
        "healthcheck: {test: b, retries: 3}",
    );
}

#[test]
fn merge_unique_resources() {
    same("volumes: [foo:/work]", "volumes: [bar:/work]", "volumes: [bar:/work]");
    same(
        "volumes: [foo:/work, a:/b]",
        "volumes: [{type: volume, source: x, target: /b}]",
        "volumes: [foo:/work, {type: volume, source: x, target: /b}]",
    );
    same(
        "ports: ['80:80', '1:1']",
        "ports: ['80:80/tcp', '80:80/udp']",
        "ports: ['80:80/tcp', '1:1', '80:80/udp']",
    );
    same(
        "ports: ['8080:80']",
        "ports: [{target: 80, published: 8080}]",
        "ports: [{target: 80, published: 8080}]",
    );
    same(
        "secrets: [a, b]",
        "secrets: [{source: c, target: a}]",
        "secrets: [{source: c, target: a}, b]",
    );
}

#[test]
fn merge_lists_and_mappings_of_pairs() {
    same("environment: [A=1, B=2]", "environment: {B: 3, C: }", "environment: {A: '1', B: 3, C: }");
    same("labels: {a: b}", "labels: [a=c, d]", "labels: {a: 'c', d: }");
    same(
        "depends_on: [a]",
        "depends_on: {a: {condition: service_healthy}, b: }",
        "depends_on: {a: {condition: service_healthy}, b: }",
    );
    same("build: ./x", "build: {target: t}", "build: {context: './x', target: t}");
    same("logging: {driver: a, options: {x: y}}", "logging: {driver: b}", "logging: {driver: b}");
    same(
        "extra_hosts: [a=1.2.3.4]",
        "extra_hosts: {b: 1.2.3.5}",
        "extra_hosts: [a=1.2.3.4, 'b=1.2.3.5']",
    );
    same(
        "ulimits: {nofile: 5}",
        "ulimits: {nofile: {soft: 1, hard: 2}}",
        "ulimits: {nofile: {soft: 1, hard: 2}}",
    );
}

#[test]
fn merge_reset_and_override() {
    same(
        "ports: ['8080:80'], environment: {FOO: BAR, X: 1}",
        "ports: !reset [], environment: {FOO: !reset null}",
        "environment: {X: 1}",
    );
    same("ports: ['8080:80']", "ports: !override ['8443:443']", "ports: ['8443:443']");
    same("image: a", "build: !reset x", "image: a");
}

#[test]
fn merge_of_unlike_shapes_is_refused() {
    let mut report = Report::default();
    let base = parse("services: {a: {ports: [1]}}");
    drop(merge(base, parse("services: {a: {ports: {x: 1}}}"), &mut report));
    assert_eq!(
        report.to_string(),
        "f.yaml:1:23: services.a.ports: a mapping can't be merged over a list. Write both alike, or put !override before this one"
    );
}

fn documents() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        "[a-c]".prop_map(|v| format!("image: {v}")),
        prop::collection::vec("[A-C]=[0-9]", 1..4)
            .prop_map(|v| format!("environment: [{}]", v.join(", "))),
        prop::collection::vec("'[1-3]:[1-3]'", 0..4)
            .prop_map(|v| format!("ports: [{}]", v.join(", "))),
        prop::collection::vec("[a-c]:/[a-c]", 0..4)
            .prop_map(|v| format!("volumes: [{}]", v.join(", "))),
    ];
    prop::collection::btree_map("[a-c]", field, 0..4).prop_map(|services| {
        let services: Vec<String> =
            services.iter().map(|(name, field)| format!("{name}: {{{field}}}")).collect();
        format!("services: {{{}}}", services.join(", "))
    })
}

proptest! {
    #[test]
    fn merging_is_associative(a in documents(), b in documents(), c in documents()) {
        let mut report = Report::default();
        let mut put = |x: &Node, y: &Node| merge(x.clone(), y.clone(), &mut report);
        let (a, b, c) = (parse(&a), parse(&b), parse(&c));
        let left = put(&a, &b);
        let left = put(&left, &c);
        let right = put(&b, &c);
        let right = put(&a, &right);
        prop_assert_eq!(left, right);
        prop_assert!(report.is_good());
    }

    #[test]
    fn merging_again_changes_nothing(a in documents(), b in documents()) {
        let mut report = Report::default();
        let once = merge(parse(&a), parse(&b), &mut report);
        // The first may leave a list of pairs as it is; merged, it is a mapping.
        let twice = merge(once, parse(&b), &mut report);
        let thrice = merge(twice.clone(), parse(&b), &mut report);
        prop_assert_eq!(twice, thrice);
    }
}
