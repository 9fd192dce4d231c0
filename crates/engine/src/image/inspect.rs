//! One image.

use super::View;
use crate::Engine;
use crate::error::Result;
use volt_store::Meant;

impl Engine {
    /// Shows all that is known of an image, or what a tree says of itself.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn image_inspect(&self, image: &Meant) -> Result<View> {
        self.image_view(self.images().find(image)?.image)
    }
}
