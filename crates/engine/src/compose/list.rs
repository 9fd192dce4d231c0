//! Which stacks there are, and what belongs to one.

use super::found::stack_of;
use crate::Engine;
use crate::error::Result;
use crate::workload;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use volt_compose::launch::{REPLICA, SERVICE};
use volt_host::files;
use volt_model::name::Name;

/// A stack as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What it is called.
    pub name: Name,
    /// The files that it was made of.
    pub files: Vec<String>,
    /// The target that owns its units.
    pub unit: Option<String>,
    /// When it was first brought up.
    pub created: Option<Timestamp>,
    /// What belongs to it, by service and number.
    pub workloads: Vec<workload::View>,
}

impl View {
    /// The service of a workload, and which one of it.
    #[must_use]
    pub fn place(workload: &workload::View) -> (&str, u32) {
        let label = |key: &str| workload.labels.get(key).map(String::as_str).unwrap_or_default();
        (label(SERVICE), label(REPLICA).parse().unwrap_or_default())
    }
}

impl Engine {
    /// Lists the stacks, sorted by name: those that were brought up, and those of which something is left.
    ///
    /// # Errors
    /// When the records or systemd can't be read.
    pub fn compose_ls(&self) -> Result<Vec<View>> {
        let mut all: BTreeMap<Name, Vec<workload::View>> =
            self.stack_names()?.into_iter().map(|name| (name, Vec::new())).collect();
        for workload in self.workload_list(true, None)? {
            if let Some(Ok(name)) = stack_of(&workload.labels).map(str::parse) {
                all.entry(name).or_default().push(workload);
            }
        }
        Ok(all.into_iter().map(|(name, workloads)| self.stack_view(name, workloads)).collect())
    }

    /// Shows what belongs to a stack.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn compose_ps(&self, name: &Name) -> Result<View> {
        let own = |one: &workload::View| stack_of(&one.labels) == Some(name.as_str());
        let workloads: Vec<_> = self.workload_list(true, None)?.into_iter().filter(own).collect();
        if workloads.is_empty() && !self.stack_dir(name).exists() {
            return Err(super::no_stack(name));
        }
        Ok(self.stack_view(name.clone(), workloads))
    }

    fn stack_view(&self, name: Name, mut workloads: Vec<workload::View>) -> View {
        workloads.sort_by(|a, b| View::place(a).cmp(&View::place(b)));
        // Whoever may not read it sees what runs all the same.
        let record = self.stack_record(&name).ok().flatten();
        let unit = self.can_use_systemd_to_look().then(|| super::units::target_name(&name));
        View {
            files: record.as_ref().map(|record| record.files.clone()).unwrap_or_default(),
            created: record.map(|record| record.created),
            unit,
            workloads,
            name,
        }
    }

    /// The names of the stacks that something is kept of, sorted.
    pub(crate) fn stack_names(&self) -> Result<BTreeSet<Name>> {
        let dir: PathBuf = self.paths().stacks();
        match std::fs::read_dir(&dir) {
            Ok(entries) => Ok(entries
                .flatten()
                .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
                .collect()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(e) => Err(files::Error::new("read", &dir, e).into()),
        }
    }
}
