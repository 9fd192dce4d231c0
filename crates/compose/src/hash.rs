//! What tells whether a thing is still what the file wants: a hash of its configuration that is the same wherever and whenever it
//! is made.

use crate::names;
use crate::stack::{MountKind, Stack, Workload};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The hash of a configuration: BLAKE3 of its canonical JSON, `b3:` and 64 digits.
///
/// # Panics
/// When it can't be JSON, which no type of a stack is.
#[must_use]
pub fn of<T: Serialize>(what: &T) -> String {
    let value = serde_json::to_value(what).expect("types of a stack have keys of text only");
    format!("b3:{}", blake3::hash(canonical(&value).as_bytes()).to_hex())
}

/// What tells one content from another, and nothing to whoever has not the key: nobody can try out what it may be.
#[must_use]
pub fn with_key(key: &[u8; 32], content: &[u8]) -> String {
    format!("b3:{}", blake3::keyed_hash(key, content).to_hex())
}

/// JSON with sorted keys and without blanks. What is null, false or an empty mapping is left out, so that a field that is new in
/// Volt changes nothing where it is not used. (An empty list stays: an empty command is not the image's.)
#[must_use]
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> =
                map.iter().filter(|(_, value)| !is_nothing(value)).collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

/// The hash of a workload of a service: what it is, what it uses by its names on the host, and `more`, such as the digest of its
/// image and of the files that it is given. How many there are, and what it depends on, is not part of it. Variables are, so it is not for
/// everybody to see but by [`with_key`].
#[must_use]
pub fn of_service(stack: &Stack, key: &str, more: &[&str]) -> String {
    let Some(service) = stack.services.get(key) else { return of(&more) };
    let mut uses = Map::new();
    let mut network = |name: &str| {
        let value = json!({ "name": names::of_network(stack, name).as_str(), "is": stack.networks.get(name) });
        uses.insert(format!("network {name}"), value);
    };
    match &service.workload {
        Workload::Container(container) => {
            container.network.connections().for_each(|(name, _)| network(name));
        }
        Workload::Vm(vm) => vm.network.connections().for_each(|(name, _)| network(name)),
        Workload::Task(task) => task.network(stack).into_iter().for_each(network),
        Workload::Service(_) => {}
    }
    if let Workload::Container(container) = &service.workload {
        for mount in &container.mounts {
            if let MountKind::Volume { source, .. } = &mount.kind {
                uses.insert(
                    format!("volume {source}"),
                    names::of_volume(stack, source).as_str().into(),
                );
            }
        }
        for grant in &container.configs {
            uses.insert(
                format!("config {}", grant.source),
                json!(stack.configs.get(&grant.source)),
            );
        }
    }
    // Where a secret comes from is nothing to who has it; what tells its content is in `more`.
    for grant in service.secrets() {
        let name = names::of_secret(stack, &grant.source);
        uses.insert(format!("secret {}", grant.source), name.as_str().into());
    }
    let mut workload = service.workload.clone();
    if let Workload::Container(container) = &mut workload {
        // How its image came to be is told by its digest, and what is watched is no part of what runs.
        container.build = None;
        container.watch = Vec::new();
    }
    of(
        &json!({ "stack": stack.name, "key": key, "workload": workload, "uses": uses, "more": more }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{service, stack};

    #[test]
    fn a_hash_is_the_same_for_ever() {
        let value =
            json!({"b": [1, null, {}], "a": {"y": false, "x": "ä\n"}, "n": null, "e": {"f": null}});
        assert_eq!(canonical(&value), "{\"a\":{\"x\":\"ä\\n\"},\"b\":[1,null,{}]}");
        // Of `{}`: should this ever change, every container of every stack is made anew.
        let empty = format!("b3:{}", blake3::hash(b"{}").to_hex());
        assert_eq!((of(&json!({})), of(&json!({"a": null}))), (empty.clone(), empty));
    }

    #[test]
    fn what_changes_a_workload_changes_its_hash() {
        let hash = |fields: &str| of_service(&stack(&service(fields)), "web", &[]);
        let plain = hash("");
        assert_eq!(plain, hash("networks: {default: }"));
        assert_eq!(plain, hash("scale: 3\ndepends_on: [db]\nattach: false"));
        let develop =
            "develop: {watch: [{path: ., action: rebuild}]}\nbuild: {context: ., no_cache: true}";
        assert_eq!(plain, hash(develop));
        let changes = [
            "command: x",
            "command: []",
            "environment: {A: b}",
            "networks: [front]",
            "volumes: ['data:/x']",
            "restart: always",
            "secrets: [key]",
        ];
        let hashes: std::collections::BTreeSet<String> =
            changes.iter().map(|fields| hash(fields)).chain([plain]).collect();
        assert_eq!(hashes.len(), changes.len() + 1);
        // A task in a container is on the network of who says nothing; one of the host is on none.
        let task = |what: &str, networks: &str| {
            let text = format!(
                "name: s\ntasks: {{t: {{exec: x, every: 5m{what}}}}}\nnetworks: {{{networks}}}\n"
            );
            of_service(&stack(&text), "t", &[])
        };
        let (plain, other) = ("default: ", "default: {internal: true}");
        assert_ne!(task(", container: img", plain), task(", container: img", other));
        assert_eq!(task("", plain), task("", other));
        let found = stack(&service(""));
        assert_ne!(
            of_service(&found, "web", &["image b3:1"]),
            of_service(&found, "web", &["image b3:2"])
        );
    }
}
