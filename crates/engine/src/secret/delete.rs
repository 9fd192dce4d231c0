//! Removing a secret.

use crate::Engine;
use crate::error::{Error, Result};
use volt_host::files;
use volt_model::kind::ErrorKind;
use volt_model::name::Name;

impl Engine {
    /// Removes a secret.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` for one that a container is to have.
    pub fn secret_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_secret(name)?;
        drop(self.secret_view(name)?);
        // Not to know must never be taken for nobody.
        let users = super::list::users(&self.every_spec()?, name);
        if let Some(first) = users.first() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("The container {first} is to have the secret {name}"),
            )
            .about(name)
            .hinted(format!("Remove that first: volt container delete {first}")));
        }
        files::remove_file(&self.secret_path(name))?;
        Ok(())
    }
}
