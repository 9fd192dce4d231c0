//! Paths in a file are relative to its project's folder; here they are made absolute, so that files of several folders can be merged.

use crate::decode::SERVICE_SECTIONS;
use crate::files::resolve;
use crate::interpolate::Variables;
use crate::yaml::{Entry, Node, Value};
use std::path::Path;

/// Makes every path in a document absolute.
pub(super) fn absolute(root: &mut Node, folder: &Path, variables: &Variables) {
    let home = variables.get("HOME").map(String::as_str);
    let to = To { folder, home };
    for section in SERVICE_SECTIONS {
        for entry in entries(root.get_mut(section)) {
            service(&mut entry.node, &to);
        }
    }
    for section in ["configs", "secrets"] {
        for entry in entries(root.get_mut(section)) {
            to.path(entry.node.get_mut("file"));
        }
    }
    for item in list_or_one(root.get_mut("include")) {
        if item.as_text().is_some() {
            to.path(Some(item));
        } else {
            for key in ["path", "env_file"] {
                list_or_one(item.get_mut(key)).iter_mut().for_each(|path| to.path(Some(path)));
            }
            to.path(item.get_mut("project_directory"));
        }
    }
}

/// The same of one service alone.
pub(super) fn service(node: &mut Node, to: &To<'_>) {
    for key in ["env_file", "label_file"] {
        for item in list_or_one(node.get_mut(key)) {
            let long = item.get("path").is_some();
            to.path(if long { item.get_mut("path") } else { Some(item) });
        }
    }
    match node.get_mut("build") {
        Some(build) if build.as_text().is_some() => to.context(build),
        Some(build) => {
            if build.get("context").is_none() && matches!(build.value, Value::Map(_)) {
                build.set("context", Node::text(".", &build.place.clone()));
            }
            if let Some(context) = build.get_mut("context") {
                to.context(context);
            }
            for entry in entries(build.get_mut("additional_contexts")) {
                to.context(&mut entry.node);
            }
        }
        None => {}
    }
    for item in list_or_one(node.get_mut("volumes")) {
        to.mount(item);
    }
    if let Some(watch) = node.get_mut("develop").and_then(|develop| develop.get_mut("watch")) {
        list_or_one(Some(watch)).iter_mut().for_each(|item| to.path(item.get_mut("path")));
    }
    if let Some(extends) = node.get_mut("extends") {
        to.path(extends.get_mut("file"));
    }
}

/// What paths are relative to.
pub(super) struct To<'a> {
    pub(super) folder: &'a Path,
    pub(super) home: Option<&'a str>,
}

impl To<'_> {
    fn whole(&self, path: &str) -> String {
        match (path.strip_prefix('~'), self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                format!("{home}{rest}")
            }
            _ => resolve(self.folder, path).display().to_string(),
        }
    }

    fn path(&self, node: Option<&mut Node>) {
        if let Some(Value::Scalar(scalar)) = node.map(|node| &mut node.value)
            && !scalar.text.is_empty()
        {
            scalar.text = self.whole(&scalar.text);
        }
    }

    /// A folder to build in may be far away: what looks so is left.
    fn context(&self, node: &mut Node) {
        let far = |text: &str| {
            text.contains("://")
                || text.starts_with("git@")
                || text.starts_with("github.com/")
                || text.starts_with("service:")
        };
        if !node.as_text().is_some_and(far) {
            self.path(Some(node));
        }
    }

    /// In the short form only what begins with a dot or `~` is a path; in the long form any source of a bind.
    fn mount(&self, node: &mut Node) {
        if let Value::Scalar(scalar) = &mut node.value {
            let (source, rest) = scalar.text.split_once(':').unwrap_or((&scalar.text, ""));
            if source.starts_with(['.', '~']) && !rest.is_empty() {
                scalar.text = format!("{}:{rest}", self.whole(source));
            }
        } else if node.get("type").and_then(Node::as_text) == Some("bind") {
            self.path(node.get_mut("source"));
        }
    }
}

fn entries(node: Option<&mut Node>) -> &mut [Entry] {
    match node.map(|node| &mut node.value) {
        Some(Value::Map(entries)) => entries,
        _ => &mut [],
    }
}

fn list_or_one(node: Option<&mut Node>) -> &mut [Node] {
    match node {
        Some(Node { value: Value::List(items), .. }) => items,
        Some(node) => std::slice::from_mut(node),
        None => &mut [],
    }
}
