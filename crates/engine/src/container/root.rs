//! The tree that a container stands on, in the form that this host can use.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use volt_host::files;
use volt_model::container::Spec;
use volt_model::kind::ErrorKind;
use volt_store::{Digest, Error as StoreError, Form, Root};

/// The most that is read of what was found out about the host, in bytes.
const LIMIT: usize = 4096;

impl Engine {
    /// The root of the container's tree, whole and good.
    pub(super) fn assembled_root(&self, spec: &Spec) -> Result<Root> {
        let tree = tree_of(spec)?;
        let form = self.root_form()?;
        let assembled = self.cas().roots().assemble(&tree, form);
        assembled.map_err(|error| self.without_root(spec, &tree, error))
    }

    /// Copies the container's tree to `to`, which is not there yet.
    pub(super) fn copy_tree(&self, spec: &Spec, to: &Path) -> Result<()> {
        let tree = tree_of(spec)?;
        let copied = self.cas().roots().copy(&tree, to);
        copied.map_err(|error| self.without_root(spec, &tree, error))
    }

    /// What roots are made of here: found out once a boot.
    pub(crate) fn root_form(&self) -> Result<Form> {
        let path = self.root_form_path();
        match files::read_text(&path, LIMIT).unwrap_or_default().lines().next() {
            Some("image") => return Ok(Form::Image),
            Some("links") => return Ok(Form::Links),
            _ => {}
        }
        let (form, text) = match self.cas().roots().probe() {
            Ok(()) => (Form::Image, "image\n".to_owned()),
            Err(why) => (Form::Links, format!("links\n{}\n", Error::from(why).chain().join(": "))),
        };
        files::create_dirs(&self.paths().run, 0o755)?;
        files::write_volatile(&path, text.as_bytes(), 0o644)?;
        Ok(form)
    }

    fn root_form_path(&self) -> PathBuf {
        self.paths().run.join("root-form")
    }

    /// Why a container has no root: with the image and whoever else is touched, where something is damaged.
    pub(super) fn without_root(&self, spec: &Spec, tree: &Digest, error: StoreError) -> Error {
        let object = match &error {
            StoreError::BadObject { object, .. } => *object,
            StoreError::Corrupt { .. } => *tree,
            _ => {
                let error = Error::from(error);
                let message = format!("The root of {} can't be made", spec.image);
                return self.unless_full(Error { message, ..error }).about(&spec.name);
            }
        };
        let touched = self
            .standing()
            .ok()
            .and_then(|standing| self.cas().touched_by(&object, &standing).ok())
            .unwrap_or_default();
        let touched = match touched.len() {
            0 => String::new(),
            _ => format!(" (it is needed by {})", touched.join(", ")),
        };
        Error::new(
            ErrorKind::General,
            format!("The image {} is damaged: {object}{touched}", spec.image),
        )
        .about(&spec.name)
        .because(error)
        .hinted("`volt cas verify` says what else is damaged; `--repair DIR` fetches it again")
    }
}

/// The tree that a container stands on.
pub(crate) fn tree_of(spec: &Spec) -> Result<Digest> {
    spec.tree.parse().map_err(|error: volt_store::NoDigest| {
        Error::new(ErrorKind::InvalidConfig, "The container's record names no tree")
            .about(&spec.name)
            .because(error)
    })
}
