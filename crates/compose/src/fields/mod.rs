//! Which fields there are, and what Volt does with each: one row for every field of the JSON schema of the Compose Specification,
//! and for those that Volt adds. What has no row is an error; what is warned of or refused is so because of its row.
//!
//! `docs/compose-fields.md` is this table. `schema.txt` lists the fields of the schema.

mod services_a_d;
mod services_e_z;
#[cfg(test)]
mod tests;
mod top;
mod volt;

use crate::problem::{Problem, Report};
use crate::yaml::{Node, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;
use volt_model::config::nearest;

/// The version of the schema that `schema.txt` lists the fields of.
pub const SCHEMA: &str = "compose-spec/compose-spec 170098ba07d9 of 2026-06-23";

/// What Volt does with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What the specification says; the test that shows it.
    Works(&'static str),
    /// It is read, checked and converted, and no engine brings it up so far; the test that shows that.
    Read(&'static str),
    /// Nothing, and it says so; the reason.
    Warned(&'static str),
    /// It refuses the file; the reason.
    Refused(&'static str),
}

/// A field: its path, with `*` for a name of the user's and `[]` for an item of a list.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The path, such as `services.*.ports[].target`.
    pub path: &'static str,
    /// What Volt does with it.
    pub verdict: Verdict,
    /// Whether Compose doesn't have it.
    pub added: bool,
}

const fn works(path: &'static str, test: &'static str) -> Row {
    Row { path, verdict: Verdict::Works(test), added: false }
}

const fn warned(path: &'static str, why: &'static str) -> Row {
    Row { path, verdict: Verdict::Warned(why), added: false }
}

const fn refused(path: &'static str, why: &'static str) -> Row {
    Row { path, verdict: Verdict::Refused(why), added: false }
}

const fn read_only(path: &'static str, test: &'static str) -> Row {
    Row { path, verdict: Verdict::Read(test), added: true }
}

const fn added(path: &'static str, test: &'static str) -> Row {
    Row { path, verdict: Verdict::Works(test), added: true }
}

/// The whole table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [top::ROWS, services_a_d::ROWS, services_e_z::ROWS, volt::ROWS].into_iter().flatten()
}

/// The table by path, and what may stand below each path.
struct Index {
    rows: BTreeMap<&'static str, &'static Row>,
    below: BTreeMap<String, Vec<&'static str>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { rows: BTreeMap::new(), below: BTreeMap::new() };
    for row in rows() {
        index.rows.insert(row.path, row);
        let mut parent = String::new();
        for part in row.path.split('.') {
            let (name, list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            for step in [Some(name), list.then_some("[]")].into_iter().flatten() {
                let names = index.below.entry(parent.clone()).or_default();
                if !names.contains(&step) {
                    names.push(step);
                }
                parent = joined(&parent, step);
            }
        }
    }
    index
});

fn joined(parent: &str, step: &str) -> String {
    match step {
        "[]" => format!("{parent}[]"),
        _ if parent.is_empty() => step.to_owned(),
        _ => format!("{parent}.{step}"),
    }
}

/// Checks the names of all fields of a document, and says what Volt does not do.
pub fn check(root: &Node, report: &mut Report) {
    walk(root, "", "", report);
}

/// `pattern` is the path in the table, `path` that in the file.
fn walk(node: &Node, pattern: &str, path: &str, report: &mut Report) {
    let Some(names) = INDEX.below.get(pattern) else { return };
    match &node.value {
        Value::List(items) if names.contains(&"[]") => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &joined(pattern, "[]"), &format!("{path}[{index}]"), report);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let here = joined(path, &entry.key);
                if names.contains(&"*") {
                    walk(&entry.node, &joined(pattern, "*"), &here, report);
                } else if entry.key.starts_with("x-") {
                    // The user's own (Compose Specification, 11-extension).
                } else if names.contains(&entry.key.as_str()) {
                    field(entry, &joined(pattern, &entry.key), &here, report);
                } else {
                    report.error(unknown(entry, names, path));
                }
            }
        }
        _ => {}
    }
}

fn field(entry: &crate::yaml::Entry, pattern: &str, path: &str, report: &mut Report) {
    // A container is a service with an image: it has the same fields.
    let pattern = if pattern == "containers" { "services" } else { pattern };
    match INDEX.rows.get(pattern).map(|row| row.verdict) {
        // What Volt's own form has at the top, where it says which form this is.
        Some(Verdict::Warned(_)) if pattern == "version" && entry.node.as_text() == Some("1") => {}
        Some(Verdict::Warned(why)) => {
            if !is_off(&entry.node) {
                report.warn(Problem::at(&entry.place, format!("{path} does nothing: {why}")));
            }
        }
        Some(Verdict::Refused(why)) => {
            if !is_off(&entry.node) {
                let problem = Problem::at(&entry.place, format!("{path} can't be done: {why}"));
                report.error(problem.hinted("Remove it"));
            }
        }
        _ => walk(&entry.node, pattern, path, report),
    }
}

/// The fields of a document that only Volt has, by their paths.
#[must_use]
pub fn only_volt(root: &Node) -> Vec<String> {
    let mut found = Vec::new();
    added_below(root, "", "", &mut found);
    found
}

fn added_below(node: &Node, pattern: &str, path: &str, found: &mut Vec<String>) {
    for (index, item) in node.items().iter().enumerate() {
        added_below(item, &joined(pattern, "[]"), &format!("{path}[{index}]"), found);
    }
    let any = INDEX.below.get(pattern).is_some_and(|names| names.contains(&"*"));
    for entry in node.entries() {
        let step = if any { "*" } else { entry.key.as_str() };
        let (pattern, path) = (joined(pattern, step), joined(path, &entry.key));
        if INDEX.rows.get(pattern.as_str()).is_some_and(|row| row.added) {
            found.push(path);
        } else {
            added_below(&entry.node, &pattern, &path, found);
        }
    }
}

/// Whether a field of this path is heeded by somebody: the others are warned of or refused by [`check`].
pub(crate) fn does_something(pattern: &str) -> bool {
    let verdict = INDEX.rows.get(pattern).map(|row| row.verdict);
    matches!(verdict, Some(Verdict::Works(_) | Verdict::Read(_)))
}

/// What asks for nothing needs no word about it.
pub(crate) fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Scalar(scalar) => scalar.plain && scalar.text == "false",
        Value::List(items) => items.is_empty(),
        Value::Map(_) => false,
    }
}

fn unknown(entry: &crate::yaml::Entry, names: &[&'static str], path: &str) -> Problem {
    let inside = if path.is_empty() { "at the top".to_owned() } else { format!("in {path}") };
    let problem = Problem::at(&entry.place, format!("there is no field `{}` {inside}", entry.key));
    match nearest(&entry.key, names.iter().copied()) {
        Some(near) => problem.hinted(format!("Did you mean `{near}`?")),
        None => problem.hinted("Remove it; fields of your own begin with x-"),
    }
}

/// The table as `docs/compose-fields.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = format!(
        "# Fields of a stack's file\n\n\
         What Volt does with each field of the JSON schema of the Compose Specification ({SCHEMA}), and which fields it adds.\n\
         `*` is a name of yours, `[]` an item of a list. A field that is not here is an error. `containers:` has the fields of\n\
         `services:`.\n\n\
         - **works**: as the specification says; the test that shows it\n\
         - **read**: it is read, checked and converted; `volt compose up` refuses it by name until Volt can do it; the test\n\
         - **warned**: it does nothing, and Volt says so; the reason\n\
         - **error**: Volt refuses the file; the reason\n\n\
         <!-- Made from crates/compose/src/fields by its test `the_document_is_the_table`; see there. -->\n"
    );
    let part = |text: &mut String, title: &str, added: bool| {
        let _ = write!(text, "\n## {title}\n\n| field | | test, or reason |\n|---|---|---|\n");
        for row in rows().filter(|row| row.added == added) {
            let (word, why) = match row.verdict {
                Verdict::Works(test) => ("works", format!("`{test}`")),
                Verdict::Read(test) => ("read", format!("`{test}`")),
                Verdict::Warned(why) => ("warned", why.to_owned()),
                Verdict::Refused(why) => ("error", why.to_owned()),
            };
            let _ = writeln!(text, "| `{}` | {word} | {why} |", row.path);
        }
    };
    part(&mut text, "Of the Compose Specification", false);
    part(&mut text, "Of Volt", true);
    text
}
