//! One document over another (Compose Specification, 13-merge; for `extends` 05-services, "merging service definitions").
//!
//! Mappings are merged key by key, lists are appended, single values are replaced; [`rules`] has what differs. `!reset` takes away,
//! `!override` replaces.

mod rules;
#[cfg(test)]
mod tests;

use crate::problem::{Problem, Report};
use crate::yaml::{Entry, Node, Tag, Value};
use rules::Rule;

/// `over` put over `base`, whole documents.
#[must_use]
pub fn merge(base: Node, over: Node, report: &mut Report) -> Node {
    both(base, over, &mut Vec::new(), report)
}

/// A service put over the one that it extends.
#[must_use]
pub fn merge_service(base: Node, over: Node, report: &mut Report) -> Node {
    both(base, over, &mut vec!["services".to_owned(), "*".to_owned()], report)
}

/// Takes away what was reset, and forgets the tags.
pub fn settle(node: &mut Node) {
    node.tag = None;
    match &mut node.value {
        Value::Map(entries) => {
            entries.retain(|entry| entry.node.tag != Some(Tag::Reset));
            entries.iter_mut().for_each(|entry| settle(&mut entry.node));
        }
        Value::List(items) => {
            items.retain(|item| item.tag != Some(Tag::Reset));
            items.iter_mut().for_each(settle);
        }
        Value::Null | Value::Scalar(_) => {}
    }
}

fn both(base: Node, over: Node, path: &mut Vec<String>, report: &mut Report) -> Node {
    if over.tag.is_some() || base.is_null() || base.tag == Some(Tag::Reset) {
        return over;
    }
    if over.is_null() {
        return base;
    }
    let rule = rules::of(path);
    let (base, over) = (rules::shaped(rule, base), rules::shaped(rule, over));
    if rule == Rule::Replace || (rule == Rule::Logging && other_driver(&base, &over)) {
        return over;
    }
    let place = over.place.clone();
    let value = match (base.value, over.value) {
        (Value::Map(base), Value::Map(over)) => Value::Map(maps(base, over, path, report)),
        (Value::List(base), Value::List(over)) => {
            Value::List(lists(base, over, rule, path, report))
        }
        (Value::Scalar(_), over @ Value::Scalar(_)) => over,
        (base, over) => {
            let (is, was) = (Node::new(over, &place), Node::new(base, &place));
            let what =
                format!("{}: {} can't be merged over {}", path.join("."), is.kind(), was.kind());
            report.error(
                Problem::at(&place, what)
                    .hinted("Write both alike, or put !override before this one"),
            );
            is.value
        }
    };
    Node::new(value, &place)
}

fn maps(
    mut base: Vec<Entry>,
    over: Vec<Entry>,
    path: &mut Vec<String>,
    report: &mut Report,
) -> Vec<Entry> {
    for entry in over {
        let Some(index) = base.iter().position(|known| known.key == entry.key) else {
            base.push(entry);
            continue;
        };
        if entry.node.tag == Some(Tag::Reset) {
            base.remove(index);
            continue;
        }
        path.push(entry.key.clone());
        let known = std::mem::replace(&mut base[index].node, Node::new(Value::Null, &entry.place));
        base[index].node = both(known, entry.node, path, report);
        base[index].place = entry.place;
        path.pop();
    }
    base
}

/// Appends what is new; what has the key of one that is there takes its place, or is merged over it.
fn lists(
    base: Vec<Node>,
    over: Vec<Node>,
    rule: Rule,
    path: &mut Vec<String>,
    report: &mut Report,
) -> Vec<Node> {
    let Rule::Keyed(key) = rule else {
        return base.into_iter().chain(over).collect();
    };
    let mut all: Vec<(String, Node)> = Vec::new();
    for node in base.into_iter().chain(over) {
        let name = key.of(&node);
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if key == rules::Key::Subnet => {
                let old = std::mem::replace(known, Node::new(Value::Null, &node.place));
                path.push("[]".to_owned());
                *known = both(old, node, path, report);
                path.pop();
            }
            Some((_, known)) => *known = node,
            None => all.push((name, node)),
        }
    }
    all.into_iter().map(|(_, node)| node).collect()
}

/// Options of a log driver mean nothing to another one.
fn other_driver(base: &Node, over: &Node) -> bool {
    let driver = |node: &Node| node.get("driver").and_then(Node::as_text).map(str::to_owned);
    matches!((driver(base), driver(over)), (Some(one), Some(two)) if one != two)
}
