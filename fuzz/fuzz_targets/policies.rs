//! The two files of who may reach whom, which people edit: what is read can be rendered, and reads back.
#![no_main]

use volt_model::net::policy::{FirewallRules, Orders, Policies};
use volt_model::net::ruleset;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut orders = Orders::default();
    if let Ok(policies) = serde_json::from_str::<Policies>(text) {
        orders.policies = policies;
    }
    if let Ok(rules) = serde_json::from_str::<FirewallRules>(text) {
        orders.rules = rules;
    }
    let written = serde_json::to_string(&orders).expect("what was read can be written");
    assert_eq!(serde_json::from_str::<Orders>(&written).expect("what was written"), orders);
    let facts = ruleset::Facts { networks: &[], attached: &[], orders: &orders, gate: 1 };
    let rendered = ruleset::render(&facts, &[]);
    // What people write never ends a line or a text in the rules.
    assert_eq!(rendered.matches('"').count() % 2, 0);
});
