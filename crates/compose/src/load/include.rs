//! `include`: another project's files, loaded on their own and then copied in (Compose Specification, 14-include).

use super::{Loader, Project};
use crate::problem::Problem;
use crate::yaml::{Node, Value};
use std::path::{Path, PathBuf};

/// What is copied from a file that is included.
const SECTIONS: [&str; 8] =
    ["services", "containers", "vms", "tasks", "networks", "volumes", "configs", "secrets"];

/// How many files may be included, one as often as it is named.
const MAX_INCLUDES: usize = 256;
/// How deep files may include each other.
const MAX_DEPTH: usize = 32;

impl Loader<'_> {
    pub(super) fn include(&mut self, whole: &mut Node, project: &Project) {
        let Some(include) = whole.take("include") else { return };
        let one = std::slice::from_ref(&include);
        let items = if let Value::List(items) = &include.value { items } else { one };
        for item in items {
            if let Some(included) = self.included(item, project) {
                self.copy(whole, &included);
            }
        }
    }

    fn included(&mut self, item: &Node, project: &Project) -> Option<Node> {
        let texts = |node: Option<&Node>| -> Vec<PathBuf> {
            let Some(node) = node else { return Vec::new() };
            let one = std::slice::from_ref(node);
            let items = if let Value::List(items) = &node.value { items } else { one };
            items.iter().filter_map(Node::as_text).map(PathBuf::from).collect()
        };
        let files =
            if item.as_text().is_some() { texts(Some(item)) } else { texts(item.get("path")) };
        let Some(first) = files.first().cloned() else {
            self.report.error(
                Problem::at(&item.place, "include: it names no file").hinted("Write `path: FILE`"),
            );
            return None;
        };
        if let Some(begin) = self.chain.iter().position(|path| *path == first) {
            let names =
                self.chain[begin..].iter().chain([&first]).map(|path| path.display().to_string());
            let what =
                format!("include: it goes in a circle: {}", names.collect::<Vec<_>>().join(" -> "));
            self.report.error(Problem::at(&item.place, what));
            return None;
        }
        self.includes += 1;
        if self.includes > MAX_INCLUDES || self.chain.len() > MAX_DEPTH {
            let what =
                format!("include: more than {MAX_INCLUDES} files, or {MAX_DEPTH} in each other");
            self.report.error(Problem::at(&item.place, what));
            return None;
        }
        if let Some(missing) = files.iter().find(|path| matches!(self.files.read(path), Ok(None))) {
            self.report.error(Problem::at(
                &item.place,
                format!("include: there is no file {}", missing.display()),
            ));
            return None;
        }
        let folder = item.get("project_directory").and_then(Node::as_text).map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| first.parent().unwrap_or(Path::new("/")).to_owned());
        let env_files = texts(item.get("env_file"));
        let variables = if env_files.is_empty() {
            self.env_files(&[folder.join(".env")], false, &project.variables)
        } else {
            self.env_files(&env_files, true, &project.variables)
        };
        self.chain.push(first);
        let documents = self.documents(&files);
        let included = self.project(&Project { files, folder, variables }, documents);
        self.chain.pop();
        Some(included)
    }

    /// Copies what is included. What is there already must say the same.
    fn copy(&mut self, whole: &mut Node, included: &Node) {
        for section in SECTIONS {
            let Some(from) = included.get(section) else { continue };
            if whole.get(section).is_none_or(Node::is_null) {
                whole.set(section, from.clone());
                continue;
            }
            let Some(to) = whole.get_mut(section) else { continue };
            for entry in from.entries() {
                match to.get(&entry.key) {
                    Some(own) if *own != entry.node => {
                        let what = format!(
                            "{section}.{}: it is in {} too, and says something else",
                            entry.key, own.place.file
                        );
                        self.report.error(
                            Problem::at(&entry.place, what)
                                .hinted("Rename one of them; what is included is not merged"),
                        );
                    }
                    Some(_) => {}
                    None => {
                        to.set(&entry.key, entry.node.clone());
                    }
                }
            }
        }
    }
}
