//! Volumes that an image asks for: one of the container's own for each of its paths at which nothing else is mounted, with what the
//! image has there to begin with.

use super::create::volume_of;
use crate::Engine;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_model::mount::{Bind, Source};
use volt_model::name::Name;
use volt_store::Image;

/// The label of such a volume: whose it is. It goes with a container that removes itself.
const OWNER: &str = "volt.container";

impl Engine {
    /// Adds the volumes that the image asks for to a spec, and those that `more` are the paths of. Their names, which no volume had before.
    pub(super) fn add_image_volumes(
        &self,
        spec: &mut Spec,
        image: &Image,
        more: &[String],
    ) -> Result<Vec<Name>> {
        let mut added = Vec::new();
        for path in more.iter().chain(&image.config.volumes) {
            let name = name_of(spec, path)?;
            let invalid = |error: volt_model::mount::MountError| {
                let message = format!("The image {} asks for a volume at `{path}`", image.name);
                Error::new(ErrorKind::InvalidConfig, message).because(error)
            };
            let bind: Bind = format!("{name}:{path}").parse().map_err(invalid)?;
            let is_taken = spec.binds.iter().any(|other| other.target == bind.target)
                || spec.tmpfs.iter().any(|other| other.target == bind.target);
            if !is_taken {
                spec.binds.push(bind);
                added.push(name);
            }
        }
        Ok(added)
    }

    /// Makes the volumes that an image asks for, with what the container's tree has there. They must be locked.
    pub(super) fn make_image_volumes(&self, spec: &Spec, names: &[Name]) -> Result<()> {
        let tree = super::tree_of(spec)?;
        for bind in &spec.binds {
            let Some(name) = volume_of(bind).filter(|name| names.contains(name)) else { continue };
            let labels = BTreeMap::from([(OWNER.to_owned(), spec.name.to_string())]);
            drop(self.make_volume_like(name, labels, (&tree, &bind.target))?);
        }
        Ok(())
    }

    /// Gives a copy of a container volumes of its own in place of those that were made for the container. Their names.
    pub(super) fn replace_image_volumes(&self, from: &Name, spec: &mut Spec) -> Result<Vec<Name>> {
        let mut made = Vec::new();
        for number in 0..spec.binds.len() {
            let target = spec.binds[number].target.clone();
            let is_own = volume_of(&spec.binds[number])
                .and_then(|name| self.volume_metadata(name).ok())
                .is_some_and(|data| {
                    data.labels.get(OWNER).map(String::as_str) == Some(from.as_str())
                });
            if is_own {
                let name = name_of(spec, &target)?;
                spec.binds[number].source = Source::Volume(name.clone());
                made.push(name);
            }
        }
        Ok(made)
    }

    /// The container that a volume was made for because its image asks for one.
    pub(crate) fn owner_of_volume(&self, volume: &Name) -> Option<Name> {
        self.volume_metadata(volume).ok()?.labels.get(OWNER)?.parse().ok()
    }

    /// Removes the volumes that were made for such containers where these are gone: who was to do it may have been killed.
    ///
    /// # Errors
    /// The first that can't be removed.
    pub(crate) fn remove_orphaned_volumes(&self, was: &dyn Fn(&Name) -> bool) -> Result<()> {
        for volume in self.volume_names()? {
            if self
                .owner_of_volume(&volume)
                .is_some_and(|owner| was(&owner) && !self.container_exists(&owner))
            {
                self.volume_delete(&volume)?;
            }
        }
        Ok(())
    }

    /// Removes the volumes that were made for a container that is gone. What can't go now is left to `volume delete`.
    pub(crate) fn remove_image_volumes(&self, spec: &Spec) {
        for name in spec.binds.iter().filter_map(volume_of) {
            let owner =
                self.volume_metadata(name).ok().and_then(|mut data| data.labels.remove(OWNER));
            if owner.as_deref() != Some(spec.name.as_str()) {
                continue;
            }
            if let Err(error) = self.volume_delete(name) {
                tracing::warn!(volume = %name, error = %error.chain().join(": "), "a volume of a container that removed itself remains");
            }
        }
    }
}

/// What the volume at a path of a container is called: no later container of that name has it.
fn name_of(spec: &Spec, path: &str) -> Result<Name> {
    let what = format!("{} {path}", spec.created);
    let hash = volt_store::Digest::of(what.as_bytes()).hex();
    let stem: String = spec.name.as_str().chars().take(54).collect();
    let name = format!("{}-{}", stem.trim_end_matches('-'), &hash[..8]);
    name.parse().map_err(|error| {
        Error::new(ErrorKind::InvalidConfig, format!("`{name}` can't be a volume")).because(error)
    })
}
