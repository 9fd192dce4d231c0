//! Records of containers, changes under way, and who owns which ids.

use super::{Facts, Found, Mend, names_in};
use crate::Engine;
use std::collections::HashMap;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    pub(super) fn intent_findings(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for name in self.intended_names() {
            if !self.is_name_busy(&name) {
                found.push(Found::new(
                    &name,
                    "a change of it broke off half-way",
                    Mend::Recover(name.clone()),
                ));
            }
        }
        found
    }

    pub(super) fn container_findings(&self, facts: &Facts) -> Vec<Found> {
        let dir = self.paths().containers();
        let mut found = Vec::new();
        for file in names_in(&dir) {
            let path = dir.join(&file);
            let Ok(name) = file.parse::<Name>() else {
                found.push(Found::path(&path, "this is no container", Mend::Nothing));
                continue;
            };
            if self.is_name_busy(&name) {
                continue;
            }
            match self.spec(&name) {
                Ok(spec) if spec.name != name => {
                    found.push(Found::path(
                        &path,
                        format!("the record is that of {}", spec.name),
                        Mend::Nothing,
                    ));
                }
                // It takes its own away when it ends.
                Ok(spec) if spec.auto_remove && facts.up.contains(&name) => {}
                Ok(spec) if spec.auto_remove && self.last_exit(&name).is_some() => {
                    found.push(Found::new(
                        &name,
                        "it was to be removed when it ended",
                        Mend::Release(name.clone()),
                    ));
                }
                Ok(spec) => {
                    let wrong = self.backend_of(&spec).finding(self, &spec);
                    found.extend(wrong.map(|(path, why)| {
                        Found::path(&path, why, Mend::Install(spec.name.clone()))
                    }));
                }
                Err(e) if e.kind == ErrorKind::NotFound && facts.up.contains(&name) => {}
                Err(e) if e.kind == ErrorKind::NotFound => {
                    // The record is the first to come and, with the folder, the last to go.
                    found.push(Found::path(
                        &path,
                        "a container without a record",
                        Mend::Remove(path.clone()),
                    ));
                }
                Err(e) => {
                    let why = format!("the record can't be read: {}", e.chain().join(": "));
                    found.push(Found::path(&path.join("config.json"), why, Mend::Nothing));
                }
            }
        }
        found
    }

    pub(super) fn id_findings(&self, facts: &Facts) -> Vec<Found> {
        let dir = self.paths().ids();
        let claims: HashMap<u32, String> =
            self.id_claims().into_iter().map(|(range, owner)| (range.base(), owner)).collect();
        let mut found = Vec::new();
        for (base, owner) in &claims {
            let path = dir.join(base.to_string());
            match owner.parse::<Name>() {
                Ok(name) if facts.containers.contains(&name) || self.is_name_busy(&name) => {}
                Ok(name) => {
                    let why = format!("the ids of {name}, which is gone, are still taken");
                    found.push(Found::path(&path, why, Mend::ReleaseIds(name)));
                }
                Err(_) => {
                    found.push(Found::path(&path, "a claim of nobody", Mend::Remove(path.clone())));
                }
            }
        }
        for file in names_in(&dir) {
            let draft = file.strip_prefix('.').and_then(|name| name.parse::<Name>().ok());
            if let Some(name) =
                draft.filter(|name| !facts.containers.contains(name) && !self.is_name_busy(name))
            {
                found.push(Found::path(
                    &dir.join(&file),
                    "a claim half made",
                    Mend::ReleaseIds(name),
                ));
            }
        }
        for spec in self.specs().unwrap_or_default() {
            // One that removes itself at its end gives its ids back first, and holds no lock; its unit is still up then.
            let settled = !self.is_name_busy(&spec.name) && !facts.up.contains(&spec.name);
            let Some(ids) = spec.ids.filter(|_| settled) else { continue };
            match claims.get(&ids.base()) {
                Some(owner) if *owner == spec.name.as_str() => {}
                Some(owner) => {
                    let why = format!("its ids from {} are claimed by {owner} too", ids.base());
                    found.push(Found::new(&spec.name, why, Mend::Nothing));
                }
                None => {
                    let why = format!("its ids from {} are claimed by nobody", ids.base());
                    found.push(Found::new(&spec.name, why, Mend::ClaimIds(spec.name.clone())));
                }
            }
        }
        found
    }
}
