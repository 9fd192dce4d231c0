//! Giving secrets to a container: decrypted into a folder that only root enters, in memory, from which its files are mounted.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use volt_host::{credentials, files};
use volt_model::container::{Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::secret::MAX;

impl Engine {
    /// Refuses a container that is to have secrets that there are not.
    pub(crate) fn check_secrets(&self, spec: &Spec) -> Result<()> {
        match spec.secrets.iter().find(|secret| !self.secret_path(&secret.name).exists()) {
            Some(secret) => Err(self.no_secret(&secret.name)),
            None => Ok(()),
        }
    }

    fn no_secret(&self, name: &Name) -> Error {
        Error::not_found("secret", name).hinted(format!("Make it: volt secret create {name} FILE"))
    }

    /// Lays the secrets of a container into its run folder, owned as the container is to see them.
    pub(crate) fn give_secrets(&self, spec: &Spec, run: &Path) -> Result<()> {
        if spec.secrets.is_empty() {
            return Ok(());
        }
        let dir = run.join(unit::SECRETS);
        files::create_dirs(&dir, 0o700)?;
        files::set_mode(&dir, 0o700)?;
        let base = spec.ids.map_or(0, volt_model::ids::IdRange::base);
        for (number, secret) in spec.secrets.iter().enumerate() {
            let credential = match files::read_bounded(&self.secret_path(&secret.name), 4 * MAX) {
                Err(e) if e.is_not_found() => return Err(self.no_secret(&secret.name)),
                read => read?,
            };
            let value = credentials::decrypt(secret.name.as_str(), &credential).map_err(|e| {
                let title = format!("The secret {} can't be decrypted on this host", secret.name);
                Error::new(ErrorKind::General, title).about(&spec.name).because(e)
            })?;
            let path = dir.join(unit::secret_file(number));
            files::write_volatile(&path, &value, 0o600)?;
            files::set_owner(&path, base + secret.uid, base + secret.gid)?;
            files::set_mode(&path, secret.mode)?;
        }
        Ok(())
    }
}
