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
    /// `NotFound`, `Conflict` for one that a workload is to have.
    pub fn secret_delete(&self, name: &Name) -> Result<()> {
        let _lock = self.lock_secret(name)?;
        drop(self.secret_view(name)?);
        // Not to know must never be taken for nobody.
        let services = each(&self.service_names()?, |name| self.service_spec(name))?;
        let tasks = each(&self.task_names()?, |name| self.task_spec(name))?;
        let users = super::list::users(name, &self.every_spec()?, &services, &tasks);
        if let Some((kind, first)) = users.first() {
            let kind = kind.as_str();
            let title = format!("The {kind} {first} is to have the secret {name}");
            return Err(Error::new(ErrorKind::Conflict, title)
                .about(name)
                .hinted(format!("Remove that first: volt {kind} delete {first}")));
        }
        files::remove_file(&self.secret_path(name))?;
        Ok(())
    }
}

/// All of them that have not gone meanwhile.
fn each<T>(names: &[Name], read: impl Fn(&Name) -> Result<T>) -> Result<Vec<T>> {
    let read = |name: &Name| match read(name) {
        Err(error) if error.kind == ErrorKind::NotFound => None,
        other => Some(other),
    };
    names.iter().filter_map(read).collect()
}
