//! Named volumes: folders that outlive the containers that mount them.
//!
//! ```text
//! volumes/NAME/_data     the content, which a container mounts
//! volumes/NAME.json      when it was made, the user's labels, and what a driver mounts on `_data`
//! ```
//! The folder is the volume: it appears in one rename, behind its metadata, and goes in one rename, before them. So a crash
//! leaves at most metadata without a folder, which is no volume; `system check` finds them.

mod create;
mod delete;
mod driver;
mod exists;
mod inspect;
mod list;

pub use driver::Create;

use crate::Engine;
use crate::error::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use volt_host::files;
use volt_model::container::Spec;
use volt_model::name::Name;
use volt_model::volume::Driver;

/// The most that is read of a volume's metadata, in bytes.
const MAX: usize = 1 << 20;

/// A volume as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What it is called.
    pub name: Name,
    /// When it was made.
    pub created: Timestamp,
    /// Where its content lies on the host.
    pub path: PathBuf,
    /// Bytes on disk; only where it was asked for.
    pub size: Option<u64>,
    /// The containers that mount it, sorted.
    pub used_by: Vec<Name>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Who keeps the content.
    pub driver: Driver,
    /// What the driver is told.
    pub options: BTreeMap<String, String>,
}

/// What `volumes/NAME.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// The format: 1.
    pub(crate) version: u32,
    /// What it is called.
    pub(crate) name: Name,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// Free words of the user.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// Who keeps the content.
    #[serde(default)]
    pub(crate) driver: Driver,
    /// What the driver is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

impl Metadata {
    /// That of a volume of which only the folder is known.
    pub(crate) fn of_folder(name: &Name, created: Timestamp) -> Self {
        let (labels, options) = (BTreeMap::new(), BTreeMap::new());
        Self { version: 1, name: name.clone(), created, labels, driver: Driver::default(), options }
    }
}

impl Engine {
    /// The folder of a volume.
    pub(crate) fn volume_dir(&self, name: &Name) -> PathBuf {
        self.paths().volumes().join(name.as_str())
    }

    /// The content of a volume.
    pub(crate) fn volume_data(&self, name: &Name) -> PathBuf {
        self.volume_dir(name).join("_data")
    }

    /// The metadata's file.
    pub(crate) fn volume_metadata_path(&self, name: &Name) -> PathBuf {
        self.paths().volumes().join(format!("{name}.json"))
    }

    /// The metadata of a volume; an error of kind `NotFound` where the file is missing.
    pub(crate) fn volume_metadata(&self, name: &Name) -> files::Result<Metadata> {
        files::read_json(&self.volume_metadata_path(name), MAX)
    }

    /// The names of all volumes, sorted.
    pub(crate) fn volume_names(&self) -> Result<Vec<Name>> {
        let dir = self.paths().volumes();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(files::Error::new("read", &dir, e).into()),
        };
        let name = |e: std::fs::DirEntry| e.file_name().to_str()?.parse().ok();
        let mut names: Vec<Name> = entries.flatten().filter_map(name).collect();
        names.retain(|name| self.volume_exists(name));
        names.sort_unstable();
        Ok(names)
    }

    /// Finishes what killed commands have left of such volumes of which only the metadata is there. Their owner knows them by labels.
    pub(crate) fn sweep_volumes(&self, is_own: &dyn Fn(&Name) -> bool) -> Result<()> {
        let entries = std::fs::read_dir(self.paths().volumes()).into_iter().flatten().flatten();
        let name = |file: std::ffi::OsString| file.to_str()?.strip_suffix(".json")?.parse().ok();
        let names = entries.filter_map(|entry| name(entry.file_name()));
        for name in names.filter(|name| !self.volume_exists(name) && is_own(name)) {
            let _lock = self.lock_volume(&name)?;
            if !self.volume_exists(&name) {
                self.remove_volume(&name)?;
            }
        }
        Ok(())
    }

    /// Where the metadata can't be read, the folder still says when it was last changed.
    fn volume_view(&self, name: &Name, used_by: Vec<Name>) -> View {
        let path = self.volume_data(name);
        let data = self
            .volume_metadata(name)
            .unwrap_or_else(|_| Metadata::of_folder(name, folder_time(&path).unwrap_or_default()));
        let Metadata { created, labels, driver, options, .. } = data;
        View { name: name.clone(), created, path, size: None, used_by, labels, driver, options }
    }
}

/// When a folder was last changed.
pub(crate) fn folder_time(path: &std::path::Path) -> Option<Timestamp> {
    Timestamp::try_from(std::fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// Which containers mount which volumes.
pub(crate) fn users(specs: &[Spec]) -> HashMap<Name, Vec<Name>> {
    let mut users: HashMap<Name, Vec<Name>> = HashMap::new();
    for spec in specs {
        for bind in &spec.binds {
            if let Some(volume) = bind.source.volume() {
                let mine = users.entry(volume.clone()).or_default();
                if !mine.contains(&spec.name) {
                    mine.push(spec.name.clone());
                }
            }
        }
    }
    users
}

#[cfg(test)]
mod tests;
