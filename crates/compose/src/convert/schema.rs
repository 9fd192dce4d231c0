//! Manifests held to the schema of Kubernetes' own API: those of each field that a service may have, and those of the stacks of
//! `tests/e2e/stacks`. What the two other conversions write is shown to Podman and to Compose there (`suite::compose_convert`).

use super::tests::{FIELDS, OTHERS};
use super::{Converted, Format, convert};
use crate::files::Disk;
use crate::stack::Stack;
use crate::testing::{files, request, service};
use crate::{Request, load};
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What the schema says in which no value can be wrong.
const REMARKS: [&str; 5] =
    ["$schema", "$defs", "title", "description", "x-kubernetes-int-or-string"];

/// What is wrong with a value, and where; a field that the schema doesn't name is wrong too.
fn wrong(schema: &Value, root: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(schema) = schema.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (word, said) in schema {
        match (word.as_str(), value) {
            ("$ref", _) => {
                let path = said.as_str().unwrap().strip_prefix('#').unwrap();
                found.extend(wrong(root.pointer(path).unwrap(), root, value, at));
            }
            ("type", _) if !is_of(said.as_str().unwrap(), value) => {
                found.push(format!("{at} is no {said}: {value}"));
            }
            ("required", Value::Object(map)) => {
                let missing = said.as_array().unwrap().iter().filter_map(Value::as_str);
                let missing = missing.filter(|key| !map.contains_key(*key));
                found.extend(missing.map(|key| format!("{at}.{key} is missing")));
            }
            ("properties", Value::Object(map)) => {
                for (key, value) in map {
                    match said.get(key) {
                        Some(schema) => {
                            found.extend(wrong(schema, root, value, &format!("{at}.{key}")));
                        }
                        None => found.push(format!("{at}.{key} is no field")),
                    }
                }
            }
            ("additionalProperties", Value::Object(map)) => {
                let each = |(key, value)| wrong(said, root, value, &format!("{at}.{key}"));
                found.extend(map.iter().flat_map(each));
            }
            ("items", Value::Array(list)) => {
                let each = |(n, value)| wrong(said, root, value, &format!("{at}[{n}]"));
                found.extend(list.iter().enumerate().flat_map(each));
            }
            ("format", Value::Number(_)) => {
                let fits = match said.as_str().unwrap() {
                    "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
                    _ => value.is_i64() || value.is_u64(),
                };
                found.extend((!fits).then(|| format!("{at} is no {said}: {value}")));
            }
            (
                "type" | "required" | "properties" | "additionalProperties" | "items" | "format",
                _,
            ) => {}
            (word, _) => assert!(REMARKS.contains(&word), "{word} of the schema isn't understood"),
        }
    }
    found
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the schema has a type {other}"),
    }
}

fn schema_of(kind: &str) -> Value {
    let schema = match kind {
        "ConfigMap" => schemars::schema_for!(core::ConfigMap),
        "CronJob" => schemars::schema_for!(batch::CronJob),
        "Deployment" => schemars::schema_for!(apps::Deployment),
        "Job" => schemars::schema_for!(batch::Job),
        "PersistentVolumeClaim" => schemars::schema_for!(core::PersistentVolumeClaim),
        "Service" => schemars::schema_for!(core::Service),
        other => panic!("{other} is no kind that is made"),
    };
    schema.into()
}

/// What the schema can't say: names, and what refers to what.
fn unsound(object: &Value) -> Vec<String> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    let mut name = |what: &str, value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edge = |c: char| c != '-' && fits(c);
        let good = text.len() <= 63 && text.chars().all(fits) && text.starts_with(edge);
        if !(good && text.ends_with(edge)) {
            names.push(format!("{text:?} is no name of a {what}"));
        }
    };
    name("object", &object["metadata"]["name"]);
    let spec = &object["spec"];
    let template = ["/template", "/jobTemplate/spec/template"];
    let Some(template) = template.iter().find_map(|path| spec.pointer(path)) else { return names };
    let pod = &template["spec"];
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let volumes = list(pod, "volumes");
    for container in list(pod, "containers") {
        name("container", &container["name"]);
        let mut targets = BTreeSet::new();
        for mount in list(&container, "volumeMounts") {
            name("volume", &mount["name"]);
            let named = volumes.iter().filter(|volume| volume["name"] == mount["name"]).count();
            if named != 1 || !targets.insert(mount["mountPath"].to_string()) {
                found.push(format!("what is mounted is not one thing: {mount}"));
            }
        }
    }
    if let Some(wanted) = spec["selector"]["matchLabels"].as_object() {
        let has = wanted.iter().all(|(key, value)| template["metadata"]["labels"][key] == *value);
        found.extend((!has).then(|| "the selector doesn't choose its own pods".to_owned()));
    }
    found.extend(names);
    found
}

#[track_caller]
fn holds(made: &Converted, of: &str) {
    let mut names = BTreeSet::new();
    for file in &made.files {
        let object: Value = serde_saphyr::from_str(&file.text).unwrap();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let schema = schema_of(&kind);
        let mut found = wrong(&schema, &schema, &object, &kind);
        found.extend(unsound(&object));
        assert!(found.is_empty(), "{of}: {found:#?}\n{}", file.text);
        assert!(names.insert(file.name.clone()), "{of}: two files are called {}", file.name);
    }
}

fn of_text(text: &str) -> Stack {
    let request = Request { profiles: vec!["*".to_owned()], ..request() };
    load(&files(&[("compose.yaml", text)]), &request)
        .unwrap_or_else(|report| panic!("{report}\n{text}"))
        .stack
}

/// The stacks that people publish, with all their profiles.
fn published() -> Vec<Stack> {
    let all = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/e2e/stacks");
    let folders = std::fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = folders.filter(|path| path.join("compose.yaml").exists()).collect();
    assert!(folders.len() >= 25, "{folders:?}");
    let stack = |folder: PathBuf| {
        let request = Request { folder, profiles: vec!["*".to_owned()], ..Request::default() };
        load(&Disk, &request).unwrap_or_else(|report| panic!("{report}")).stack
    };
    folders.into_iter().map(stack).collect()
}

#[test]
fn kubernetes_takes_the_manifests_of_every_field() {
    for fields in FIELDS {
        holds(&convert(&of_text(&service(fields)), Format::Kubernetes), fields);
    }
    holds(&convert(&of_text(OTHERS), Format::Kubernetes), OTHERS);
}

#[test]
fn kubernetes_takes_the_manifests_of_what_people_publish() {
    for stack in published() {
        let made = convert(&stack, Format::Kubernetes);
        assert!(made.files.iter().any(|file| file.name.ends_with("-deployment.yaml")));
        holds(&made, stack.name.as_str());
    }
}

#[test]
fn what_kubernetes_would_refuse_is_seen() {
    let schema = schema_of("Service");
    let said = |text: &str| {
        let object: Value = serde_saphyr::from_str(text).unwrap();
        wrong(&schema, &schema, &object, "s").concat()
    };
    assert_eq!(said("{metadata: {name: x}, spec: {ports: [{port: 80, targetPort: a}]}}"), "");
    assert_eq!(said("{metadata: {}, spec: {ports: [{}]}}"), "s.spec.ports[0].port is missing");
    assert_eq!(said("{metadata: {}, spec: {port: 1}}"), "s.spec.port is no field");
    let text = "{metadata: {labels: {a: 1}}, spec: {ports: [{port: '80'}]}}";
    assert!(said(text).contains("s.metadata.labels.a is no \"string\": 1"));
    assert!(said(text).contains("s.spec.ports[0].port is no \"integer\": \"80\""));
}
