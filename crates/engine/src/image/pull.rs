//! Making an image of Debian.

use super::{View, existing};
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_store::{DebianOptions, Images, Work};

/// What to pull.
#[derive(Clone, Debug)]
pub struct Pull {
    /// `debian[:SUITE]` or `debian-minimal[:SUITE]`.
    pub image: ImageRef,
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
    /// Makes an image of Debian with debootstrap.
    ///
    /// # Errors
    /// `Dependency` for an image of a registry and without debootstrap, `AlreadyExists` unless `force`.
    pub fn image_pull(&self, pull: Pull, progress: &dyn Progress) -> Result<View> {
        if !Images::is_debian(&pull.image) {
            return Err(not_there_yet(&pull.image));
        }
        self.tidy_images();
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

fn not_there_yet(image: &ImageRef) -> Error {
    Error::new(ErrorKind::Dependency, format!("The image {image} can't be pulled: this Volt can't ask registries yet"))
        .about(image)
        .hinted("What can be pulled: debian[:SUITE] and debian-minimal[:SUITE]; any other root file system can be imported: volt image import")
}
