//! Making a volume.

use super::{Create, Metadata, View};
use crate::Engine;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use volt_host::files::{self, Lock, Publish, Stage};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// Makes an empty volume.
    ///
    /// # Errors
    /// `AlreadyExists` for a taken name, `Usage` for what its driver can't be told, `NotFound` for a folder that is not there.
    pub fn volume_create(&self, name: &Name, create: Create) -> Result<View> {
        self.check_volume(name, &create)?;
        let _lock = self.lock_volume(name)?;
        self.make_volume_with(name, create, &|_| Ok(()))
    }

    /// Locks a volume against being made or removed.
    pub(crate) fn lock_volume(&self, name: &Name) -> Result<Lock> {
        self.lock(&format!("volume-{name}"))
    }

    /// Makes an empty volume, whose lock must be held.
    pub(crate) fn make_volume(
        &self,
        name: &Name,
        labels: BTreeMap<String, String>,
    ) -> Result<View> {
        self.make_volume_with(name, Create::plain(labels), &|_| Ok(()))
    }

    /// The same with what a tree has in a folder, if it has it.
    pub(crate) fn make_volume_like(
        &self,
        name: &Name,
        labels: BTreeMap<String, String>,
        (tree, folder): (&volt_store::Digest, &str),
    ) -> Result<View> {
        self.make_volume_with(name, Create::plain(labels), &|data| {
            Ok(self.cas().roots().copy_below(tree, folder, data).map(drop)?)
        })
    }

    /// Makes a volume, whose lock must be held, and has its folder filled, which is empty and open to all.
    pub(crate) fn make_volume_with(
        &self,
        name: &Name,
        create: Create,
        fill: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<View> {
        if self.volume_exists(name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("There is a volume named {name} already"),
            )
            .about(name)
            .hinted(format!("Use it, or remove it with `volt volume delete {name}`")));
        }
        files::create_dirs(&self.paths().volumes(), 0o755)?;
        let stage = Stage::new(&self.paths().stages(), &format!("volume-{name}"))?;
        let data = stage.path().join("_data");
        files::create_dirs(&data, 0o755)?;
        // Exact, whatever the umask: a container's own users must get at the content, by its mount. Nobody else on the host is to get at what
        // its root writes, which is root's on the disk, set-user-id programs too.
        set_mode(&data, 0o755)?;
        files::share_with_group(stage.path(), crate::GROUP)?;
        set_mode(stage.path(), 0o750)?;
        let mounted = create.mounted(name)?;
        // What is mounted later would hide it.
        if mounted.is_none() {
            fill(&data)?;
        }
        let metadata = Metadata {
            version: 1,
            name: name.clone(),
            created: Timestamp::now(),
            labels: create.labels,
            driver: create.driver,
            options: create.options,
        };
        // Before the volume is there: no container may get its bare folder.
        self.settle_volume(name, mounted.as_ref())?;
        files::write_json(&self.volume_metadata_path(name), &metadata, 0o644)?;
        if let Err(error) = stage.publish(&self.volume_dir(name), Publish::New) {
            files::remove_file(&self.volume_metadata_path(name))?;
            self.settle_volume(name, None)?;
            return Err(error.into());
        }
        Ok(View {
            name: name.clone(),
            created: metadata.created,
            path: self.volume_data(name),
            size: None,
            used_by: Vec::new(),
            labels: metadata.labels,
            driver: metadata.driver,
            options: metadata.options,
        })
    }
}

fn set_mode(path: &std::path::Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    Ok(std::fs::set_permissions(path, mode).map_err(|e| files::Error::new("make", path, e))?)
}
