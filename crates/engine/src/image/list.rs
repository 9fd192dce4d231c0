//! All images.

use super::View;
use crate::Engine;
use crate::error::Result;

impl Engine {
    /// Lists images, sorted by name.
    ///
    /// # Errors
    /// When the store or the containers can't be read.
    pub fn image_list(&self) -> Result<Vec<View>> {
        let users = self.tree_users()?;
        let view = |image: volt_store::Image| View {
            used_by: users.get(&image.tree.to_string()).cloned().unwrap_or_default(),
            snapshots: Vec::new(),
            image,
        };
        Ok(self.images().list()?.into_iter().map(view).collect())
    }
}
