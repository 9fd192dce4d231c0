//! From changes in Volt's folders to events. Pure but for what is there at the beginning.

use super::News;
use std::collections::BTreeSet;
use std::path::PathBuf;
use volt_host::watch::Change;
use volt_model::image::ImageRef;
use volt_model::name::Name;
use volt_model::paths::Paths;
use volt_store::Digest;

/// The folders that are watched, with what lies in each.
pub(super) fn watched(paths: &Paths) -> [(PathBuf, &'static str); 9] {
    [
        (paths.containers(), "container"),
        (paths.services(), "service"),
        (paths.tasks(), "task"),
        (paths.lib.join("cas/refs/images"), "image"),
        (paths.volumes(), "volume"),
        (paths.networks(), "network"),
        (paths.restored(), RESTORED),
        (paths.health(), HEALTH),
        (paths.lib.join("cas/quarantine"), OBJECT),
    ]
}

/// The folder of objects that were found damaged, in which nobody looks but who may.
pub(super) const OBJECT: &str = "object";

/// The folder whose files tell how workloads are.
pub(super) const HEALTH: &str = "health";

/// The folder whose files tell that something of a network was put back.
pub(super) const RESTORED: &str = "restored";

/// What is in the folders, as far as it has been told.
#[derive(Debug)]
pub(super) struct Folders {
    kinds: Vec<&'static str>,
    known: BTreeSet<(usize, String)>,
}

impl Folders {
    /// What is there now.
    pub(super) fn new(folders: &[(PathBuf, &'static str)]) -> Self {
        let mut known = BTreeSet::new();
        for (at, (path, _)) in folders.iter().enumerate() {
            let names = std::fs::read_dir(path).into_iter().flatten().flatten();
            known.extend(
                names.filter_map(|entry| Some((at, entry.file_name().into_string().ok()?))),
            );
        }
        Self { kinds: folders.iter().map(|(_, kind)| *kind).collect(), known }
    }

    /// What a change means; nothing where it is about a file of no concern.
    pub(super) fn news(&mut self, change: Change) -> Option<News> {
        match change {
            Change::Appeared { folder, name } => self.appeared(folder, &name),
            Change::Gone { folder, name } => self.gone(folder, &name),
            Change::Renamed { folder, from, to } => {
                let (old, new) = (self.shown(folder, &from), self.shown(folder, &to));
                match (old, new) {
                    (Some(old), Some(new)) => {
                        self.known.remove(&(folder, from));
                        self.known.insert((folder, to));
                        Some(News::new(self.kinds[folder], new, "renamed").with("from", &old))
                    }
                    // A file is written under another name first.
                    (None, Some(_)) => self.appeared(folder, &to),
                    (Some(_), None) => self.gone(folder, &from),
                    (None, None) => None,
                }
            }
        }
    }

    fn appeared(&mut self, folder: usize, file: &str) -> Option<News> {
        if self.kinds[folder] == RESTORED {
            let (kind, name) = restored(file)?;
            return Some(News::new(kind, name, RESTORED));
        }
        let name = self.shown(folder, file)?;
        if self.kinds[folder] == OBJECT {
            return Some(News::new(OBJECT, name, "quarantined"));
        }
        let action =
            if self.known.insert((folder, file.to_owned())) { "created" } else { "updated" };
        Some(News::new(self.kinds[folder], name, action))
    }

    fn gone(&mut self, folder: usize, file: &str) -> Option<News> {
        let tells = ![OBJECT, RESTORED].contains(&self.kinds[folder]);
        let name = self.shown(folder, file).filter(|_| tells)?;
        self.known
            .remove(&(folder, file.to_owned()))
            .then(|| News::new(self.kinds[folder], name, "deleted"))
    }

    /// What people call the thing that has this file name; none for files of no concern.
    fn shown(&self, folder: usize, file: &str) -> Option<String> {
        if self.kinds[folder] == "image" {
            let stem = file.strip_suffix(".json").filter(|stem| !stem.starts_with('.'))?;
            return ImageRef::decode(stem).ok().map(|name| name.to_string());
        }
        if self.kinds[folder] == OBJECT {
            return file.parse::<Digest>().ok().map(|digest| digest.to_string());
        }
        if self.kinds[folder] == RESTORED {
            return restored(file).map(|(_, name)| name);
        }
        let stem = match self.kinds[folder] {
            "network" | HEALTH => file.strip_suffix(".json")?,
            _ => file,
        };
        stem.parse::<Name>().ok().map(|name| name.to_string())
    }
}

/// Of what something was put back that has this file: of a network, or of what is no network's. The reverse of [`restored_file`].
fn restored(file: &str) -> Option<(&'static str, String)> {
    let stem = file.strip_suffix(".json")?;
    let (kind, name) = match stem.split_once(':') {
        None => ("network", stem),
        Some(("bridge", name)) => ("bridge", name),
        Some(("firewall", name)) => ("firewall", name),
        Some(_) => return None,
    };
    Some((kind, name.parse::<Name>().ok()?.to_string()))
}

/// The file that tells that something was put back of a thing of a kind. No name has a colon.
pub(crate) fn restored_file(kind: &str, name: &str) -> String {
    match kind {
        "network" => format!("{name}.json"),
        kind => format!("{kind}:{name}.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(changes: Vec<Change>) -> Vec<String> {
        let kinds = vec!["container", "image", "network", RESTORED, OBJECT];
        let mut folders = Folders { kinds, known: BTreeSet::new() };
        let news = changes.into_iter().filter_map(|change| folders.news(change));
        news.map(|n| format!("{} {} {}", n.kind, n.name, n.action)).collect()
    }

    #[test]
    fn what_appears_and_goes() {
        let appeared = |folder, name: &str| Change::Appeared { folder, name: name.into() };
        let gone = |folder, name: &str| Change::Gone { folder, name: name.into() };
        let renamed = |folder, from: &str, to: &str| Change::Renamed {
            folder,
            from: from.into(),
            to: to.into(),
        };
        let changes = vec![
            appeared(0, "web"),
            renamed(0, "web", "shop"),
            gone(0, "web"),
            gone(0, "shop"),
            appeared(0, ".volt-x"),
            appeared(1, ".volt-y"),
            renamed(1, ".volt-y", "debian%3Atrixie.json"),
            renamed(1, ".volt-z", "debian%3Atrixie.json"),
            gone(1, "debian%3Atrixie.json"),
            renamed(2, ".volt-x", "back.json"),
            renamed(3, ".volt-x", "back.json"),
            renamed(3, ".volt-x", "back.json"),
            renamed(3, ".volt-x", &restored_file("bridge", "lan0")),
            renamed(3, ".volt-x", &restored_file("firewall", "volt")),
            renamed(3, ".volt-x", "other:volt.json"),
            gone(3, "back.json"),
            gone(2, "back.json"),
            appeared(4, &"ab".repeat(32)),
            appeared(4, "broken.json"),
            gone(4, &"ab".repeat(32)),
        ];
        let object = format!("object blake3:{} quarantined", "ab".repeat(32));
        assert_eq!(
            told(changes),
            [
                "container web created",
                "container shop renamed",
                "container shop deleted",
                "image debian:trixie created",
                "image debian:trixie updated",
                "image debian:trixie deleted",
                "network back created",
                "network back restored",
                "network back restored",
                "bridge lan0 restored",
                "firewall volt restored",
                "network back deleted",
                &object,
            ]
        );
    }
}
