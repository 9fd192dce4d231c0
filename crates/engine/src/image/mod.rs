//! Images: a thin layer over the store, which adds the configuration and who uses what.
//!
//! No lock is held here: a pull and an import may wait on the network. The store locks where names change, and refuses a
//! name that was taken meanwhile.

mod build;
mod delete;
mod export;
mod import;
mod inspect;
mod list;
mod pull;
mod push;
mod registry;
mod tag;

pub use build::{Build, ByFile};
pub use import::Source;
pub use pull::Pull;
pub use push::{Push, Pushed, Sent};
pub use registry::FromRegistry;
pub(crate) use registry::{Asked, blob_digest, elsewhere, unread};
pub use volt_store::{Compression, Containerfile, ExportFormat, ImageConfig, Meant, Steps};

use crate::error::{Error, Result};
use crate::{Engine, Progress};
use std::collections::HashMap;
use volt_model::container::Spec;
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_store::{Digest, Existing, Image};

/// An image as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What the store knows of it.
    pub image: Image,
    /// The containers that stand on it, sorted.
    pub used_by: Vec<Name>,
    /// The snapshots of containers that stood on it, as `CONTAINER/NAME`; only of an image that is looked at alone.
    pub snapshots: Vec<String>,
}

impl Engine {
    /// Removes what killed commands left of images and in the store.
    fn tidy_images(&self) {
        self.sweep_leftovers();
        if let Err(error) = self.cas().tidy(&|| self.wanted_trees()) {
            tracing::warn!(%error, "what killed commands left in the store could not be removed");
        }
    }

    /// Removes what nothing needs any more now that an image has lost its name. What can't go now goes with the next collection.
    pub(crate) fn collect_images(&self) {
        if let Err(error) = self.collect_garbage() {
            tracing::warn!(error = %error.chain().join(": "), "what an image had for itself could not be removed");
        }
    }

    /// Assembles the root of an image that is new, so that its first container need not wait for that.
    pub(crate) fn assemble_image(&self, image: &Image, progress: &dyn Progress) {
        if !self.can_use_systemd() {
            return;
        }
        progress.step("Assembling the root");
        let assembled = self.root_form().and_then(|form| {
            self.cas().roots().assemble(&image.tree, form).map(drop).map_err(Into::into)
        });
        if let Err(error) = assembled {
            tracing::warn!(image = %image.name, error = %error.chain().join(": "), "its root could not be assembled; a container's start says so too");
        }
    }

    /// Which containers stand on which tree.
    pub(crate) fn tree_users(&self) -> Result<HashMap<String, Vec<Name>>> {
        Ok(by_tree(self.specs()?))
    }

    /// Who stands on a tree, as the store asks for it: looked up anew each time, since it asks while it holds its lock.
    pub(crate) fn users_of_tree(&self, tree: &Digest) -> Vec<String> {
        let users = || -> Result<Vec<Name>> {
            // Before the records are looked at: an intent goes when the record is there.
            let creations = self.creations()?.into_iter();
            let begun: Vec<Name> =
                creations.filter(|(_, of)| *of == tree.to_string()).map(|(name, _)| name).collect();
            let mut users =
                by_tree(self.every_spec()?).remove(&tree.to_string()).unwrap_or_default();
            users.extend(begun);
            users.sort_unstable();
            users.dedup();
            Ok(users)
        };
        match users() {
            Ok(users) => users.iter().map(Name::to_string).collect(),
            // Not knowing must never be taken for nobody.
            Err(error) => vec![format!("containers that can't be read ({error})")],
        }
    }

    pub(crate) fn image_view(&self, image: Image) -> Result<View> {
        let used_by = self.tree_users()?.remove(&image.tree.to_string()).unwrap_or_default();
        let snapshots = self.cas().snapshots()?.into_iter();
        let snapshots = snapshots.filter(|snapshot| snapshot.below == Some(image.tree));
        let snapshots = snapshots.map(|s| format!("{}/{}", s.container, s.name)).collect();
        Ok(View { image, used_by, snapshots })
    }
}

fn by_tree(specs: Vec<Spec>) -> HashMap<String, Vec<Name>> {
    let mut users: HashMap<String, Vec<Name>> = HashMap::new();
    for spec in specs {
        users.entry(spec.tree).or_default().push(spec.name);
    }
    users
}

/// Refuses a name that nobody can give.
pub(crate) fn refuse_digest(name: &ImageRef) -> Result<()> {
    if name.digest().is_none() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "An image can't be given a digest for its name")
        .about(name)
        .hinted("Write NAME[:TAG]"))
}

/// `force` means to replace.
pub(crate) fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

#[cfg(test)]
mod tests;
