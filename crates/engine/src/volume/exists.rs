//! Whether a volume is there.

use crate::Engine;
use volt_model::name::Name;

impl Engine {
    /// Whether there is a volume of that name.
    #[must_use]
    pub fn volume_exists(&self, name: &Name) -> bool {
        self.volume_dir(name).is_dir()
    }
}
