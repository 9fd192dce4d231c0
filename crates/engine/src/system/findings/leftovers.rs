//! What belongs to containers that are gone or down: units, mounts, network namespaces, run folders, drafts of files.

use super::{Facts, Found, Mend, names_in};
use crate::Engine;
use crate::compose::stack_of_target;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use volt_host::{files, mounts};
use volt_model::container::unit;
use volt_model::name::Name;

/// Within this a draft that was begun is held.
const MOMENT: Duration = Duration::from_millis(50);

impl Engine {
    /// Drop-ins and links of containers that are gone.
    pub(super) fn unit_findings(&self, facts: &Facts) -> Vec<Found> {
        let units = &self.paths().units;
        let wants = units.join("multi-user.target.wants");
        let links = self.paths().unit_links();
        let dropins = names_in(units).into_iter().filter_map(|file| {
            let name = unit::container_of(file.strip_suffix(".d")?)?;
            Some((name, units.join(file)))
        });
        let linked = [&wants, &links].into_iter().flat_map(|dir| {
            names_in(dir)
                .into_iter()
                .filter_map(|file| Some((unit::container_of(&file)?, dir.join(&file))))
        });
        let gone = |(name, _): &(Name, PathBuf)| {
            !facts.containers.contains(name) && !self.is_name_busy(name)
        };
        dropins
            .chain(linked)
            .filter(gone)
            .map(|(name, path)| {
                let why = format!("the container {name} is gone, what systemd knows of it is not");
                Found::path(&path, why, Mend::RemoveUnits(name))
            })
            .collect()
    }

    /// Drop-ins and links of stacks that are gone.
    pub(super) fn stack_unit_findings(&self) -> Vec<Found> {
        let units = &self.paths().units;
        let wants = units.join("multi-user.target.wants");
        let dropins = names_in(units).into_iter().filter_map(|file| {
            Some((stack_of_target(file.strip_suffix(".d")?)?, units.join(&file)))
        });
        let linked = names_in(&wants)
            .into_iter()
            .filter_map(|file| Some((stack_of_target(&file)?, wants.join(&file))));
        let known = self.stack_names().unwrap_or_default();
        dropins
            .chain(linked)
            .filter(|(name, _)| !known.contains(name) && !self.is_busy(&format!("stack-{name}")))
            .map(|(name, path)| {
                let why = format!("the stack {name} is gone, what systemd knows of it is not");
                Found::path(&path, why, Mend::RemoveStackUnits(name))
            })
            .collect()
    }

    /// What a run needed, where nothing runs.
    pub(super) fn run_findings(&self, facts: &Facts) -> Vec<Found> {
        let mut left: BTreeMap<Name, Vec<(PathBuf, &'static str)>> = BTreeMap::new();
        let runs = self.paths().run.join("containers");
        for file in names_in(&runs) {
            if let Ok(name) = file.parse() {
                left.entry(name)
                    .or_default()
                    .push((runs.join(file), "the folder of a run that is over"));
            }
        }
        for file in names_in(&self.paths().netns) {
            if let Some(Ok(name)) = file.strip_prefix("volt-").map(str::parse) {
                let path = self.paths().netns.join(&file);
                left.entry(name)
                    .or_default()
                    .push((path, "the network namespace of a run that is over"));
            }
        }
        for file in names_in(&self.paths().attached()) {
            if let Some(Ok(name)) = file.strip_suffix(".json").map(str::parse)
                && !self.is_tap(&name)
            {
                let path = self.paths().attached().join(&file);
                left.entry(name)
                    .or_default()
                    .push((path, "the connections to networks of a run that is over"));
            }
        }
        let containers = self.paths().containers();
        for mount in mounts::mounts_below(&containers).unwrap_or_default() {
            if let Some(name) = container_of_path(&mount.mount_point, &containers) {
                left.entry(name)
                    .or_default()
                    .push((mount.mount_point, "the mounted root of a run that is over"));
            }
        }
        let mut found = Vec::new();
        for (name, what) in left {
            let clears =
                self.spec(&name).is_ok_and(|spec| self.backend_of(&spec).clears_at_start());
            if clears || facts.up.contains(&name) || self.is_name_busy(&name) {
                continue;
            }
            found.extend(
                what.into_iter()
                    .map(|(path, why)| Found::path(&path, why, Mend::Release(name.clone()))),
            );
        }
        found
    }

    /// Files that were written beside their place and never put into it.
    pub(super) fn draft_findings(&self) -> Vec<Found> {
        let lib = &self.paths().lib;
        let mut dirs: Vec<PathBuf> = vec![
            self.paths().etc.clone(),
            self.paths().ids(),
            self.paths().intents(),
            self.paths().volumes(),
            self.paths().networks(),
            self.paths().bridges(),
            self.paths().taps(),
            lib.clone(),
        ];
        dirs.extend(
            names_in(&self.paths().containers())
                .iter()
                .map(|name| self.paths().containers().join(name)),
        );
        dirs.extend(self.cas().ref_folders());
        let left = || -> Vec<PathBuf> {
            dirs.iter().flat_map(|dir| files::left_drafts(dir).unwrap_or_default()).collect()
        };
        let mut all = left();
        if !all.is_empty() {
            // One that was begun a moment ago is held by now, or has taken its place.
            std::thread::sleep(MOMENT);
            let still = left();
            all.retain(|path| still.contains(path));
        }
        let found = |path: PathBuf| {
            let folder = path.parent().unwrap_or(&path).to_owned();
            Found::path(&path, "a file half written", Mend::SweepDrafts(folder))
        };
        all.into_iter().map(found).collect()
    }
}

/// The container to whose folder a path belongs.
fn container_of_path(path: &Path, containers: &Path) -> Option<Name> {
    path.strip_prefix(containers).ok()?.components().next()?.as_os_str().to_str()?.parse().ok()
}
