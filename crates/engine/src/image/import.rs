//! Taking in a root file system.

use super::{View, existing};
use crate::error::{Error, Result};
use crate::{Engine, Progress};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use volt_model::image::ImageRef;
use volt_model::kind::ErrorKind;
use volt_store::{Image, ImageConfig, ImportOptions, Limits, Pointer, Work};

/// Where the root file system comes from.
pub enum Source {
    /// A tar archive, plain or compressed, as it comes.
    Reader(Box<dyn Read + Send>),
    /// A tar archive or a folder of this host, by absolute path. Only root may name one: it is read with the engine's rights.
    Path(PathBuf),
    /// A tree of the store.
    Tree(Pointer),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reader(_) => f.write_str("Reader"),
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Tree(tree) => f.debug_tuple("Tree").field(tree).finish(),
        }
    }
}

impl Engine {
    /// Takes in a root file system and calls it `name`.
    ///
    /// # Errors
    /// `AlreadyExists` unless `force`; `InvalidConfig`, naming the entry, for what can't be taken; `Resource` for a full disk.
    pub fn image_import(
        &self,
        name: &ImageRef,
        source: Source,
        force: bool,
        progress: &dyn Progress,
    ) -> Result<View> {
        self.image_import_as(name, source, (ImageConfig::default(), force), progress)
    }

    /// The same of one that does not say itself how it is run.
    pub(super) fn image_import_as(
        &self,
        name: &ImageRef,
        source: Source,
        (config, force): (ImageConfig, bool),
        progress: &dyn Progress,
    ) -> Result<View> {
        super::refuse_digest(name)?;
        self.tidy_images();
        let options = ImportOptions { config, ..self.import_options(force)? };
        let wanted = || self.wanted_trees();
        let work = Work { wanted: &wanted, progress };
        let image = match source {
            Source::Reader(reader) => self.images().import_tar(name, reader, options, work)?,
            Source::Path(path) => self.import_path(name, &path, options, work)?,
            Source::Tree(tree) => self.images().import_tree(name, &tree, options, work)?,
        };
        if force {
            self.collect_images();
        }
        self.assemble_image(&image, progress);
        self.image_view(image)
    }

    /// How images are taken in here.
    pub(super) fn import_options(&self, force: bool) -> Result<ImportOptions> {
        let limits = Limits { bytes: self.config()?.image.max_size.0, ..Limits::default() };
        Ok(ImportOptions { limits, existing: existing(force), ..ImportOptions::default() })
    }

    fn import_path(
        &self,
        name: &ImageRef,
        path: &Path,
        options: ImportOptions,
        work: Work<'_>,
    ) -> Result<Image> {
        if !path.is_absolute() {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} is no absolute path", path.display()),
            ));
        }
        let unreadable = |error: std::io::Error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::Permission,
                _ => ErrorKind::General,
            };
            Error::new(kind, format!("{} can't be read", path.display()))
                .about(&path.display())
                .because(error)
        };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            return Ok(self.images().import_dir(name, path, options, work)?);
        }
        if kind.file_type().is_char_device() || kind.file_type().is_block_device() {
            return Err(Error::new(ErrorKind::Usage, format!("{} is a device", path.display()))
                .about(&path.display()));
        }
        let options = ImportOptions { total: kind.is_file().then_some(kind.len()), ..options };
        let file = File::open(path).map_err(unreadable)?;
        Ok(self.images().import_tar(name, file, options, work)?)
    }
}
