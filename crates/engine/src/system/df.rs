//! What takes disk space.

use super::measure;
use crate::Engine;
use crate::error::Result;
use std::path::Path;
use volt_model::kind::ErrorKind;
use volt_model::state::State;
use volt_store::Image;

/// Disk space of one kind of thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// `images`, `cas`, `containers`, `volumes`, `cache`, `logs`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
    /// How many of them are used by something.
    pub active: u64,
    /// Bytes on disk.
    pub size: u64,
    /// Bytes that `system prune` with all its options would free.
    pub reclaimable: u64,
}

impl Engine {
    /// Measures disk space by kind.
    ///
    /// # Errors
    /// When Volt's own state can't be read.
    pub fn system_df(&self) -> Result<Vec<Usage>> {
        let folder = |kind, path: &Path, freed: bool| {
            let size = size(path);
            let count = std::fs::read_dir(path).map_or(0, |all| all.count() as u64);
            Usage { kind, count, active: 0, size, reclaimable: if freed { size } else { 0 } }
        };
        let mut all = vec![self.images_df()?];
        match self.cas_df() {
            // Objects are root's alone: others hear of the rest.
            Err(error) if error.kind == ErrorKind::Permission => {
                tracing::warn!(error = %error.chain().join(": "), "what the store takes can't be told");
            }
            usage => all.push(usage?),
        }
        all.push(self.containers_df()?);
        all.push(self.volumes_df()?);
        all.push(folder("cache", &self.paths().cache, true));
        all.push(folder("logs", &self.paths().log, false));
        Ok(all)
    }

    /// What images have, each content once: all of it is part of the store.
    pub(super) fn images_df(&self) -> Result<Usage> {
        let users = self.tree_users()?;
        let images = self.images().list()?;
        let is_used = |image: &&Image| users.contains_key(&image.tree.to_string());
        let cas = self.cas();
        let all: Vec<_> = images.iter().map(|image| image.tree).collect();
        let unused: Vec<_> =
            images.iter().filter(|i| !is_used(i)).map(|image| image.tree).collect();
        // What others have too is not freed with an image.
        let mut others = cas.named_beside_images()?;
        others.extend(images.iter().filter(is_used).map(|image| image.tree));
        others.extend(self.wanted_trees()?);
        Ok(Usage {
            kind: "images",
            count: images.len() as u64,
            active: images.iter().filter(is_used).count() as u64,
            size: cas.weigh(&all, &[]),
            reclaimable: cas.weigh(&unused, &others),
        })
    }

    /// The content-addressed store: its objects. Used are the trees that have names.
    fn cas_df(&self) -> Result<Usage> {
        let status = self.cas().status()?;
        Ok(Usage {
            kind: "cas",
            count: status.objects,
            active: status.trees,
            size: status.on_disk,
            reclaimable: self.cas_garbage()?.on_disk,
        })
    }

    /// What nothing in the store reaches; nothing where there is no store yet, or where that can't be told.
    pub(super) fn cas_garbage(&self) -> Result<volt_store::Swept> {
        match self.cas_gc(true) {
            Err(error) if matches!(error.kind, ErrorKind::General | ErrorKind::Permission) => {
                tracing::warn!(error = %error.chain().join(": "), "what could be freed of the store can't be told");
                Ok(volt_store::Swept::default())
            }
            other => other,
        }
    }

    fn containers_df(&self) -> Result<Usage> {
        let specs = self.specs()?;
        let states = self.run_states(&specs)?;
        let alive = |name| states.get(name).map_or(State::Stopped, |run| run.state).is_alive();
        Ok(Usage {
            kind: "containers",
            count: specs.len() as u64,
            active: specs.iter().filter(|spec| alive(&spec.name)).count() as u64,
            // A mounted root is another file system and not entered.
            size: specs.iter().map(|spec| size(&self.paths().container(&spec.name))).sum(),
            reclaimable: 0,
        })
    }

    fn volumes_df(&self) -> Result<Usage> {
        let users = crate::volume::users(&self.specs()?);
        let mut usage = Usage { kind: "volumes", count: 0, active: 0, size: 0, reclaimable: 0 };
        for name in self.volume_names()? {
            let size = size(&self.volume_data(&name));
            let used = users.contains_key(&name);
            usage.count += 1;
            usage.active += u64::from(used);
            usage.size += size;
            usage.reclaimable += if used { 0 } else { size };
        }
        Ok(usage)
    }
}

/// Bytes on disk; what can't be read counts nothing.
pub(super) fn size(path: &Path) -> u64 {
    measure::size(path).unwrap_or(0)
}
