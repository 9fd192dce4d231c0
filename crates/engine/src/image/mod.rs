//! Images: a thin layer over the store, which adds the configuration and who uses what.
//!
//! No lock is held here: a pull and an import may wait on the network. The store locks where names change, and refuses a
//! name that was taken meanwhile.

mod delete;
mod export;
mod import;
mod inspect;
mod list;
mod pull;
mod tag;

pub use import::Source;
pub use pull::Pull;
pub use volt_store::Compression;

use crate::Engine;
use crate::error::Result;
use std::collections::HashMap;
use volt_model::name::Name;
use volt_store::{Existing, Image, TreeId};

/// An image as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What the store knows of it.
    pub image: Image,
    /// The containers that stand on it, sorted.
    pub used_by: Vec<Name>,
}

impl Engine {
    /// Removes the trees that lost their name to a new image, and what killed commands left. What can't go now goes with the
    /// next sweep.
    fn sweep_images(&self) {
        self.sweep_leftovers();
        if let Err(error) = self.images().sweep(&|tree| self.users_of_tree(tree)) {
            tracing::warn!(%error, "replaced images could not be removed");
        }
    }

    /// Which containers stand on which tree.
    pub(crate) fn tree_users(&self) -> Result<HashMap<String, Vec<Name>>> {
        let mut users: HashMap<String, Vec<Name>> = HashMap::new();
        for spec in self.specs()? {
            users.entry(spec.tree).or_default().push(spec.name);
        }
        Ok(users)
    }

    /// Who stands on a tree, as the store asks for it: looked up anew each time, since it asks while it holds its lock.
    pub(crate) fn users_of_tree(&self, tree: &TreeId) -> Vec<String> {
        match self.tree_users() {
            Ok(mut users) => users
                .remove(tree.as_str())
                .unwrap_or_default()
                .iter()
                .map(Name::to_string)
                .collect(),
            // Not knowing must never be taken for nobody.
            Err(error) => vec![format!("containers that can't be read ({error})")],
        }
    }

    fn image_view(&self, image: Image) -> Result<View> {
        let used_by = self.tree_users()?.remove(image.tree.as_str()).unwrap_or_default();
        Ok(View { image, used_by })
    }
}

/// `force` means to replace.
fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

#[cfg(test)]
mod tests;
