//! The volumes of stacks, and what they begin with.

use super::act::Doer;
use super::found;
use super::steps::Told;
use super::undo::Undo;
use crate::error::{Error, Result};
use crate::volume::Create as VolumeCreate;
use std::collections::BTreeMap;
use volt_compose::launch::{HASH, Launch};
use volt_compose::stack::{Container, MountKind};
use volt_compose::{graph, hash};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::volume::{Driver, VolumeError};
use volt_store::Image;

impl Doer<'_> {
    /// Makes a volume with what the image of the first service has there that mounts it and has something, in the order of their start,
    /// unless it said `nocopy`. One that is there without belonging to a stack is used as it is.
    pub(super) fn create_volume(&self, name: &Name, key: &str, told: &Told<'_>) -> Result<()> {
        let Some(volume) = self.stack.volumes.get(key) else { return Ok(()) };
        let engine = self.engine;
        let _lock = engine.lock_volume(name)?;
        if engine.volume_exists(name) {
            let labels = engine.volume_metadata(name).map(|data| data.labels).unwrap_or_default();
            if let Some(other) = found::stack_of(&labels) {
                let title = format!("The volume {name} belongs to the stack {other}");
                return Err(Error::new(ErrorKind::Conflict, title)
                    .about(name)
                    .hinted("Say `external: true` to use it, or another `name:`"));
            }
            told.say(format!("The volume {name} was there already; it is used as it is"));
            return Ok(());
        }
        let order = graph::levels(self.stack).into_iter().flatten();
        let filler = |service: String| {
            let container = self.stack.services.get(&service)?.container()?;
            Some((begins_with(container, key)?, self.image(&service)?.tree))
        };
        let fillers: Vec<_> = order.filter_map(filler).collect();
        let labels = self.labels(&volume.labels, &hash::of(volume));
        let create = volume_of(volume, labels)?;
        drop(engine.make_volume_with(name, create, &|data| {
            for (target, tree) in &fillers {
                if engine.cas().roots().copy_below(tree, target, data)? {
                    break;
                }
            }
            Ok(())
        })?);
        self.undone_by(Undo::Volume(name.clone()));
        Ok(())
    }

    /// Volumes without a name in the file, which the container that takes this one's place gets too. They begin with what the image has there.
    pub(super) fn create_own_volumes(&self, launch: &Launch, image: &Image) -> Result<()> {
        let engine = self.engine;
        let mut labels = launch.labels.clone();
        labels.remove(HASH);
        for volume in &launch.own_volumes {
            let _lock = engine.lock_volume(volume)?;
            let mut binds = launch.binds.iter();
            let bind = binds.find(|bind| bind.source.volume() == Some(volume));
            let Some(bind) = bind.filter(|_| !engine.volume_exists(volume)) else { continue };
            let begins = (&image.tree, bind.target.as_str());
            drop(engine.make_volume_like(volume, labels.clone(), begins)?);
            self.undone_by(Undo::Volume(volume.clone()));
        }
        Ok(())
    }
}

/// A volume of a stack in the words of `volume create`.
pub(super) fn volume_of(
    volume: &volt_compose::stack::Volume,
    labels: BTreeMap<String, String>,
) -> Result<VolumeCreate> {
    let driver = volume.driver.as_deref().map_or(Ok(Driver::Local), str::parse);
    let driver = driver.map_err(|error: VolumeError| {
        Error::new(ErrorKind::InvalidConfig, "A volume of the stack can't be so").because(error)
    })?;
    Ok(VolumeCreate { labels, driver, options: volume.driver_opts.clone() })
}

/// Where a container mounts a volume that begins with what the image has there.
fn begins_with<'c>(container: &'c Container, key: &str) -> Option<&'c str> {
    container.mounts.iter().find_map(|mount| match &mount.kind {
        MountKind::Volume { source, nocopy: false, .. } if source == key => {
            Some(mount.target.as_str())
        }
        _ => None,
    })
}
