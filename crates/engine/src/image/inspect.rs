//! One image.

use super::View;
use crate::Engine;
use crate::error::Result;
use volt_model::image::ImageRef;

impl Engine {
    /// Shows all that is known of an image.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn image_inspect(&self, name: &ImageRef) -> Result<View> {
        self.image_view(self.images().inspect(name)?)
    }
}
