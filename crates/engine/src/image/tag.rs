//! Giving an image a further name.

use super::View;
use crate::Engine;
use crate::error::Result;
use volt_model::image::ImageRef;
use volt_store::Existing;

impl Engine {
    /// Gives an image a further name; a name that is taken passes to it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn image_tag(&self, from: &ImageRef, to: &ImageRef) -> Result<View> {
        self.tidy_images();
        let image = self.images().tag(from, to, Existing::Replace)?;
        self.image_view(image)
    }
}
