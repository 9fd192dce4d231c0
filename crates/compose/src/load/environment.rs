//! Variables and labels of services that come from files and from the caller (Compose Specification, 05-services: env_file,
//! environment, label_file).

use super::Loader;
use crate::decode::SERVICE_SECTIONS;
use crate::dotenv;
use crate::interpolate::{Variables, unset};
use crate::problem::Problem;
use crate::words::parse_bool;
use crate::yaml::{Entry, Node, Place, Value};
use std::path::Path;
use std::sync::Arc;

impl Loader<'_> {
    /// Puts what files say below `environment` and `labels` of each service, and gives variables without a value theirs.
    pub(super) fn environments(&mut self, root: &mut Node, variables: &Variables) {
        for section in SERVICE_SECTIONS {
            let Some(Value::Map(entries)) = root.get_mut(section).map(|node| &mut node.value)
            else {
                continue;
            };
            for entry in entries {
                let path = format!("{section}.{}", entry.key);
                self.put_files(&mut entry.node, ("env_file", "environment"), &path, variables);
                self.put_files(&mut entry.node, ("label_file", "labels"), &path, variables);
                fill(&mut entry.node, variables);
            }
        }
    }

    fn put_files(
        &mut self,
        service: &mut Node,
        keys: (&str, &str),
        path: &str,
        variables: &Variables,
    ) {
        let Some(list) = service.take(keys.0) else { return };
        let one = std::slice::from_ref(&list);
        let items = if let Value::List(items) = &list.value { items } else { one };
        let mut map: Vec<Entry> = Vec::new();
        for item in items {
            for (key, value) in self.read_file(item, &format!("{path}.{}", keys.0), variables) {
                map.retain(|entry| entry.key != key);
                map.push(Entry {
                    key,
                    place: item.place.clone(),
                    node: Node::text(value, &item.place),
                });
            }
        }
        let base = Node::new(Value::Map(map), &list.place);
        let own = service.take(keys.1);
        let whole = match own {
            Some(own) => over(base, own),
            None => base,
        };
        service.set(keys.1, whole);
    }

    /// The variables of one item: a path, or `path`, `required` and `format`.
    fn read_file(&mut self, item: &Node, path: &str, variables: &Variables) -> Variables {
        let long = item.as_text().is_none();
        let field = |key: &str| if long { item.get(key).and_then(Node::as_text) } else { None };
        let Some(name) = item.as_text().or_else(|| field("path")) else {
            self.report.error(
                Problem::at(&item.place, format!("{path}: it names no file"))
                    .hinted("Write `path: FILE`"),
            );
            return Variables::new();
        };
        let required = field("required").and_then(parse_bool).unwrap_or(true);
        let text = match self.files.read(Path::new(name)) {
            Ok(Some(text)) => text,
            Ok(None) if !required => return Variables::new(),
            Ok(None) => {
                let problem = Problem::at(&item.place, format!("{path}: there is no file {name}"));
                self.report.error(problem.hinted("Write it, or `required: false`"));
                return Variables::new();
            }
            Err(error) => {
                self.report.error(Problem::at(
                    &item.place,
                    format!("{path}: {name} can't be read: {error}"),
                ));
                return Variables::new();
            }
        };
        let file = Arc::from(name);
        let read = match field("format") {
            None => dotenv::read(&file, &text, variables).map(|read| {
                let place = Place::start(&file);
                read.unset.iter().for_each(|name| unset(name, &place, &mut self.report));
                read.variables
            }),
            Some("raw") => dotenv::read_raw(&file, &text, variables),
            Some(other) => {
                let problem =
                    Problem::at(&item.place, format!("{path}: there is no format `{other}`"));
                Err(problem.hinted("There is raw; without `format` the file is read as .env is"))
            }
        };
        read.unwrap_or_else(|problem| {
            self.report.error(problem);
            Variables::new()
        })
    }
}

/// What the service says itself over what files say.
fn over(base: Node, own: Node) -> Node {
    let mut whole = base;
    match own.value {
        Value::Map(entries) => {
            entries.into_iter().for_each(|entry| whole.set(&entry.key, entry.node));
        }
        Value::List(items) => {
            for item in items {
                let Some((key, value)) = item
                    .as_text()
                    .map(|text| text.split_once('=').map_or((text, None), |(k, v)| (k, Some(v))))
                else {
                    continue;
                };
                let value = value.map_or_else(
                    || Node::new(Value::Null, &item.place),
                    |value| Node::text(value, &item.place),
                );
                whole.set(key, value);
            }
        }
        // It is wrong; decoding it says so.
        _ => return own,
    }
    whole
}

/// A variable without a value has the caller's; where he has none either it is not there at all.
fn fill(service: &mut Node, variables: &Variables) {
    let Some(environment) = service.get_mut("environment") else { return };
    match &mut environment.value {
        Value::Map(entries) => {
            entries.retain(|entry| !entry.node.is_null() || variables.contains_key(&entry.key));
            for entry in entries.iter_mut().filter(|entry| entry.node.is_null()) {
                let value = variables.get(&entry.key).cloned().unwrap_or_default();
                entry.node = Node::text(value, &entry.place);
            }
        }
        Value::List(items) => {
            items.retain(|item| {
                item.as_text().is_none_or(|text| text.contains('=') || variables.contains_key(text))
            });
            for item in items {
                if let Some(text) = item.as_text().filter(|text| !text.contains('=')) {
                    let value = variables.get(text).cloned().unwrap_or_default();
                    *item = Node::text(format!("{text}={value}"), &item.place);
                }
            }
        }
        _ => {}
    }
}
