//! Secrets: small values that lie encrypted on disk, and that containers find as files and services as credentials.
//!
//! ```text
//! etc/volt/secrets/NAME.cred                   encrypted by systemd-creds, root's alone; units of services and tasks load it
//! run/volt/containers/NAME/secrets/SECRET      decrypted while a container is prepared; a memory file system of its own, root's, without swap
//! ```

mod create;
mod delete;
mod give;
mod list;

use crate::Engine;
use jiff::Timestamp;
use std::path::PathBuf;
use volt_model::name::Name;
use volt_model::secret::{Protection, file_name};

/// A secret, without what is secret of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// What it is called.
    pub name: Name,
    /// When it was made, or given another value.
    pub created: Timestamp,
    /// What it is encrypted with.
    pub protection: Protection,
    /// The workloads that it is given to.
    pub used_by: Vec<Name>,
}

impl Engine {
    pub(crate) fn secrets(&self) -> PathBuf {
        self.paths().etc.join("secrets")
    }

    /// Where a secret lies.
    pub(crate) fn secret_path(&self, name: &Name) -> PathBuf {
        self.secrets().join(file_name(name))
    }

    /// Locks a secret against being made, used or removed.
    pub(crate) fn lock_secret(&self, name: &Name) -> crate::Result<volt_host::files::Lock> {
        self.lock(&format!("secret-{name}"))
    }
}
