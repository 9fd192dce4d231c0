//! Getting an image: Debian's are made here, all others come from registries.

use super::{FromRegistry, View, existing};
use crate::error::Result;
use crate::{Engine, Progress};
use volt_model::image::ImageRef;
use volt_store::{DebianOptions, Images, Work};

/// What to pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// `debian[:SUITE]`, `debian-minimal[:SUITE]`, or an image of a registry.
    pub image: ImageRef,
    /// How, where it is one of a registry.
    pub registry: FromRegistry,
    /// The mirror; else the configured one, else the host's.
    pub mirror: Option<String>,
    /// debootstrap's variant.
    pub variant: Option<String>,
    /// Packages to add.
    pub include: Vec<String>,
    /// Pull again although it is there.
    pub force: bool,
}

impl Engine {
    /// Makes an image of Debian with debootstrap, or gets one from a registry.
    ///
    /// # Errors
    /// `Dependency` without debootstrap, `AlreadyExists` unless `force`; `Network`, `NotFound` and `Permission` by what the registry
    /// says.
    pub fn image_pull(&self, pull: Pull, progress: &dyn Progress) -> Result<View> {
        self.tidy_images();
        if !Images::is_debian(&pull.image) {
            return self.pull_from_registry(&pull.image, pull.registry, pull.force, progress);
        }
        let configured = self.config()?.image.mirror;
        let force = pull.force;
        let options = DebianOptions {
            variant: pull.variant,
            include: pull.include,
            mirror: pull.mirror.or_else(|| Some(configured).filter(|mirror| !mirror.is_empty())),
            existing: existing(force),
            ..DebianOptions::default()
        };
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let image = self.images().pull_debian(&pull.image, options, work)?;
        if force {
            self.collect_images();
        }
        self.assemble_image(&image, progress);
        self.image_view(image)
    }
}
