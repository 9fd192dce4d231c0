//! What a driver mounts on a volume's folder: a unit of systemd, `var-lib-volt-volumes-NAME-_data.mount`, that is up while a container
//! which has the volume runs.

use super::Metadata;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use volt_host::mounts;
use volt_model::kind::ErrorKind;
use volt_model::mount::Bind;
use volt_model::name::Name;
use volt_model::volume::{self, Driver, Mounted, VolumeError};

/// How long systemd may take to unmount. It tries no longer itself.
const LIMIT: Duration = Duration::from_secs(100);

/// What a volume is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Who keeps the content.
    pub driver: Driver,
    /// What the driver is told.
    pub options: BTreeMap<String, String>,
}

impl Create {
    /// A folder of Volt's with these labels.
    pub(crate) fn plain(labels: BTreeMap<String, String>) -> Self {
        Self { labels, ..Self::default() }
    }

    /// What is mounted on its folder.
    pub(crate) fn mounted(&self, name: &Name) -> Result<Option<Mounted>> {
        volume::mounted(self.driver, &self.options).map_err(|error: VolumeError| {
            let title = format!("The volume {name} can't be so");
            Error::new(ErrorKind::Usage, title).about(name).because(error)
        })
    }
}

impl Engine {
    /// Refuses a volume that can't be mounted here, before anything is made.
    pub(crate) fn check_volume(&self, name: &Name, create: &Create) -> Result<()> {
        let Some(found) = create.mounted(name)? else { return Ok(()) };
        self.require_units()?;
        let is_folder = found.kind == "none";
        if is_folder && !Path::new(&found.what).is_dir() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("There is no folder {} on this host", found.what),
            )
            .about(&found.what)
            .hinted("Make it first"));
        }
        if is_folder && !mounts::can_map_ids(found.what.as_ref()).unwrap_or(true) {
            let title = format!("{} can't be a volume", found.what);
            return Err(Error::new(ErrorKind::Dependency, title)
                .about(&found.what)
                .because("its file system has no maps of ids, which containers need".to_owned()));
        }
        Ok(())
    }

    /// The unit by which systemd mounts on a volume's folder, where there is one.
    pub(crate) fn volume_unit(&self, name: &Name) -> String {
        volume::unit_name(&self.volume_data(name))
    }

    fn volume_unit_exists(&self, name: &Name) -> bool {
        self.paths().units.join(self.volume_unit(name)).exists()
    }

    /// Makes what systemd mounts on a volume's folder what is said, or nothing.
    pub(crate) fn settle_volume(&self, name: &Name, mounted: Option<&Mounted>) -> Result<()> {
        let unit = self.volume_unit(name);
        let changed = match mounted {
            Some(mounted) => {
                let text = volume::render(name, mounted, &self.volume_data(name));
                self.write_plain_unit(&unit, &text)?;
                true
            }
            None => self.remove_plain_unit(&unit)?,
        };
        if changed && self.can_use_systemd() { self.reload_units() } else { Ok(()) }
    }

    /// What is mounted on a volume's folder; nothing where its record can't be read or says nothing.
    fn mounted_on(&self, name: &Name) -> Option<Mounted> {
        let Metadata { driver, options, .. } = self.volume_metadata(name).ok()?;
        volume::mounted(driver, &options).ok()?
    }

    /// Those of these volumes on whose folders something is mounted.
    pub(crate) fn mounted_volumes(&self, binds: &[Bind]) -> BTreeMap<Name, Mounted> {
        let names = binds.iter().filter_map(|bind| bind.source.volume());
        names.filter_map(|name| Some((name.clone(), self.mounted_on(name)?))).collect()
    }

    /// Has systemd unmount what it mounted on a volume's folder, which no container uses any more, or is about to: where mounts come
    /// thick and fast it begins one up to a second after the container that wanted it is gone. What somebody else mounted is refused.
    pub(super) fn unmount_volume(&self, name: &Name) -> Result<()> {
        if self.volume_unit_exists(name) && self.can_use_systemd() {
            self.systemd().stop(&self.volume_unit(name), LIMIT)?;
        }
        let data = self.volume_data(name);
        if !mounts::is_mount_point(&data).unwrap_or(false) {
            return Ok(());
        }
        let title = format!("Something is mounted on the volume {name}");
        Err(Error::new(ErrorKind::Conflict, title)
            .about(name)
            .hinted(format!("Unmount it first: umount {}", data.display())))
    }
}
