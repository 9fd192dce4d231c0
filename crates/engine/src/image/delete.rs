//! Removing a name of an image.

use crate::Engine;
use crate::error::Result;
use volt_model::image::ImageRef;

impl Engine {
    /// Removes a name of an image, and the image with its last name.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`, naming them, when it is the last name and containers stand on the image.
    pub fn image_delete(&self, name: &ImageRef) -> Result<()> {
        self.tidy_images();
        self.delete_image_name(name)?;
        self.collect_images();
        Ok(())
    }

    /// Removes a name and leaves what it had to the next collection.
    pub(crate) fn delete_image_name(&self, name: &ImageRef) -> Result<()> {
        Ok(self.images().delete(name, &|tree| self.users_of_tree(tree))?)
    }
}
