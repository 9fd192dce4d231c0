//! Giving secrets to a container: decrypted into a file system in memory that only root enters and that is never written to swap, from
//! which its files are mounted.

use crate::Engine;
use crate::error::{Error, Result};
use std::path::Path;
use volt_host::{credentials, files, mounts};
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

    pub(crate) fn no_secret(&self, name: &Name) -> Error {
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
        self.mount_for_secrets(spec, &dir)?;
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

    /// The release unmounts it, as all in the run folder.
    fn mount_for_secrets(&self, spec: &Spec, dir: &Path) -> Result<()> {
        let failed = |e| {
            let title = "No memory can be kept from being swapped for secrets";
            Error::new(ErrorKind::General, title).about(&spec.name).because(e)
        };
        // Whoever prepared it before may have been killed after this.
        if mounts::is_mount_point(dir).map_err(failed)? {
            return Ok(());
        }
        // Each is a draft before it has its name.
        let each = u64::try_from(2 * MAX).unwrap_or(u64::MAX);
        let count = u64::try_from(spec.secrets.len() + 1).unwrap_or(u64::MAX);
        mounts::mount_unswapped(dir, each.saturating_mul(count)).map_err(failed)
    }
}
