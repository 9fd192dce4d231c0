//! Making a secret.

use super::View;
use crate::Engine;
use crate::error::{Error, Result};
use std::io::Read;
use volt_host::{credentials, files};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::secret::MAX;

impl Engine {
    /// Encrypts what is read as a secret; with `replace` in the place of one that there is. Workloads that run keep the old value until
    /// they are started again.
    ///
    /// # Errors
    /// `AlreadyExists`, `Resource` for one that is too large, by itself or beside the others of a workload that it is given to, `Dependency` where systemd-creds is missing.
    pub fn secret_create(&self, name: &Name, replace: bool, from: &mut dyn Read) -> Result<View> {
        self.secret_write(name, replace, from, None)
    }

    /// The same for `stack`, which makes those of its units anew that are given the secret: these are asked then whether it is too much.
    pub(crate) fn secret_write(
        &self,
        name: &Name,
        replace: bool,
        from: &mut dyn Read,
        stack: Option<&Name>,
    ) -> Result<View> {
        let mut secret = Vec::new();
        let most = u64::try_from(MAX).unwrap_or(u64::MAX);
        from.take(most + 1).read_to_end(&mut secret).map_err(|e| {
            Error::new(ErrorKind::General, "The secret could not be read").about(name).because(e)
        })?;
        if secret.len() > MAX {
            let title = format!("A secret has at most {MAX} bytes: systemd decrypts no more");
            return Err(Error::new(ErrorKind::Resource, title).about(name));
        }
        let _locks = self.lock_with_companions(name)?;
        let path = self.secret_path(name);
        let is_there = path.exists();
        if is_there && !replace {
            let title = format!("There is a secret named {name} already");
            return Err(Error::new(ErrorKind::AlreadyExists, title)
                .about(name)
                .hinted("Give it another value with --replace"));
        }
        if is_there {
            self.check_new_size(name, secret.len(), stack)?;
        }
        files::create_dirs(&self.secrets(), 0o700)?;
        files::sweep_drafts(&self.secrets())?;
        let credential = credentials::encrypt(&secret)?;
        files::write_atomic(&path, &credential, 0o600)?;
        self.secret_view(name)
    }
}
