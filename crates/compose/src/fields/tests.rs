//! Tests of the table: it has every field of the schema, and the document is made from it.

use super::*;
use crate::yaml::read;
use std::collections::BTreeSet;
use std::sync::Arc;

fn checked(text: &str) -> Report {
    let mut report = Report::default();
    check(&read(&Arc::from("f.yaml"), text).unwrap(), &mut report);
    report
}

#[test]
fn every_field_of_the_schema_has_its_row() {
    let schema: BTreeSet<&str> = include_str!("schema.txt").lines().collect();
    let table: BTreeSet<&str> = rows().filter(|row| !row.added).map(|row| row.path).collect();
    assert_eq!(schema.difference(&table).collect::<Vec<_>>(), Vec::<&&str>::new(), "no row");
    assert_eq!(
        table.difference(&schema).collect::<Vec<_>>(),
        Vec::<&&str>::new(),
        "not in the schema"
    );
    assert_eq!(rows().count(), rows().map(|row| row.path).collect::<BTreeSet<_>>().len(), "twice");
}

/// `VOLT_WRITE=1 cargo test -p volt-compose the_document` writes it.
#[test]
fn the_document_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compose-fields.md");
    if std::env::var_os("VOLT_WRITE").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == markdown(),
        "docs/compose-fields.md is not the table; run this with VOLT_WRITE=1"
    );
}

#[test]
fn unknown_fields_have_a_place_and_the_nearest_name() {
    let report = checked(
        "services:\n  web:\n    imgae: x\n    ports:\n      - target: 80\n        publish: 1\n    x-own: 1\n    colour: red\nsevices: {}\n",
    );
    let errors: Vec<String> = report.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "f.yaml:3:5: there is no field `imgae` in services.web. Did you mean `image`?",
            "f.yaml:6:9: there is no field `publish` in services.web.ports[0]. Did you mean `published`?",
            "f.yaml:8:5: there is no field `colour` in services.web. Remove it; fields of your own begin with x-",
            "f.yaml:9:1: there is no field `sevices` at the top. Did you mean `services`?",
        ]
    );
}

#[test]
fn what_does_nothing_is_said() {
    let report = checked(
        "version: '3'\nservices:\n  web:\n    privileged: true\n    init: false\n    dns: 1.1.1.1\n    provider: {type: x}\n    labels: {whatever: x}\n",
    );
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(
        report.warnings[1]
            .to_string()
            .starts_with("f.yaml:4:5: services.web.privileged does nothing: ")
    );
    assert!(
        report.to_string().starts_with("f.yaml:7:5: services.web.provider can't be done: "),
        "{report}"
    );
    assert!(
        checked("version: '1'\ncontainers: {a: {image: x, networks: {n: {aliases: [b]}}}}\n")
            .warnings
            .is_empty()
    );
    assert!(!checked("containers: {a: {imagee: x}}\n").is_good());
}
