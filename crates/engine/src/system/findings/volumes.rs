//! Volumes and their metadata.

use super::{Found, Mend, names_in};
use crate::Engine;
use crate::error::Result;
use crate::volume::{Metadata, folder_time};
use volt_host::files;
use volt_model::name::Name;

impl Engine {
    pub(super) fn volume_findings(&self) -> Vec<Found> {
        let dir = self.paths().volumes();
        let mut found = Vec::new();
        for file in names_in(&dir).into_iter().filter(|file| !file.starts_with('.')) {
            let path = dir.join(&file);
            let Ok(name) = file.strip_suffix(".json").unwrap_or(&file).parse::<Name>() else {
                found.push(Found::path(&path, "this is no volume", Mend::Nothing));
                continue;
            };
            if self.is_busy(&format!("volume-{name}")) {
                continue;
            }
            let is_metadata = file.ends_with(".json");
            if is_metadata && !self.volume_exists(&name) {
                found.push(Found::path(
                    &path,
                    "metadata of a volume that isn't there",
                    Mend::Remove(path.clone()),
                ));
            } else if !is_metadata {
                let problem = match self.volume_metadata(&name) {
                    Ok(data) if data.name != name => {
                        Some(format!("its metadata are those of {}", data.name))
                    }
                    Ok(_) => None,
                    Err(e) if e.is_not_found() => Some("its metadata are missing".to_owned()),
                    Err(e) => Some(format!("its metadata can't be read: {e}: {}", e.source)),
                };
                found.extend(problem.map(|why| {
                    Found::new(&format!("volume {name}"), why, Mend::WriteVolume(name.clone()))
                }));
            }
        }
        found
    }

    /// Writes a volume's metadata anew. Its labels and driver are lost, its content is not touched.
    pub(super) fn rewrite_volume(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_volume(name)?;
        let created = folder_time(&self.volume_data(name)).unwrap_or_default();
        let metadata = Metadata::of_folder(name, created);
        files::write_json(&self.volume_metadata_path(name), &metadata, 0o644)?;
        // What a driver was told is lost too.
        self.settle_volume(name, None)
    }
}
