//! Giving secrets to services and tasks, which systemd does, and to a container: decrypted into a file system in memory that only root enters and that is never written to swap, from
//! which its files are mounted.

use crate::Engine;
use crate::compose::stack_of;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;
use volt_host::files::Lock;
use volt_host::{command, credentials, files, mounts};
use volt_model::container::{Spec, unit};
use volt_model::kind::ErrorKind;
use volt_model::name::Name;
use volt_model::secret::{Credential, MAX};

/// The most that systemd gives a unit of credentials, with their names, in bytes (its `CREDENTIALS_TOTAL_SIZE_MAX`).
const MOST_OF_A_UNIT: usize = 1 << 20;

impl Engine {
    /// Refuses a container that is to have secrets that there are not.
    pub(crate) fn check_secrets(&self, spec: &Spec) -> Result<()> {
        match spec.secrets.iter().find(|secret| !self.secret_path(&secret.name).exists()) {
            Some(secret) => Err(self.no_secret(&secret.name)),
            None => Ok(()),
        }
    }

    /// Keeps the secrets that a service is to have from being removed until its record tells of them, if systemd can load each, and all.
    pub(crate) fn hold_credentials(&self, all: &[Credential]) -> Result<Vec<Lock>> {
        let locks = self.hold_secrets(all)?;
        all.iter().try_for_each(|one| self.check_credential(one))?;
        self.check_size(all).map(|()| locks)
    }

    /// Keeps secrets from being removed, if there are all of them.
    pub(crate) fn hold_secrets(&self, all: &[Credential]) -> Result<Vec<Lock>> {
        // In the order of their names, as for containers.
        let names: BTreeSet<&Name> = all.iter().map(|one| &one.name).collect();
        let hold = |name: &Name| {
            let lock = self.lock_secret(name)?;
            if self.secret_path(name).exists() { Ok(lock) } else { Err(self.no_secret(name)) }
        };
        names.into_iter().map(hold).collect()
    }

    /// Refuses a secret that an earlier Volt has encrypted under its own name, where it is to have another one.
    fn check_credential(&self, one: &Credential) -> Result<()> {
        let name = &one.name;
        let credential = self.encrypted(name)?;
        let is_own = one.target == name.as_str();
        if is_own || credentials::decrypt(&one.target, &credential).is_ok() {
            return Ok(());
        }
        if let Err(error) = credentials::decrypt(name.as_str(), &credential) {
            return Err(undecryptable(name, error));
        }
        let title = format!(
            "The secret {name} is encrypted for its own name, so it can't be given as {}",
            one.target
        );
        Err(Error::new(ErrorKind::Conflict, title).about(name).hinted(format!(
            "Give it its value again, which frees it of that: volt secret create --replace {name} FILE"
        )))
    }

    /// Refuses secrets that are too much for one unit.
    fn check_size(&self, all: &[Credential]) -> Result<()> {
        match self.too_much(all, None)? {
            Some(size) => {
                Err(too_large(format!("These secrets and their names are {size} bytes together")))
            }
            None => Ok(()),
        }
    }

    /// Locks a secret that is to have another value, and all that are given to a unit with it, in the order of their names.
    pub(super) fn lock_with_companions(&self, name: &Name) -> Result<Vec<Lock>> {
        loop {
            let names = self.companions(name)?;
            let locks = names.iter().map(|name| self.lock_secret(name)).collect::<Result<_>>()?;
            // Who is given one from now on waits for its lock.
            if self.companions(name)?.is_subset(&names) {
                return Ok(locks);
            }
        }
    }

    /// Refuses a value of this size where it is too much beside the others of a service or task that is not `stack`'s. All of them must be
    /// locked.
    pub(super) fn check_new_size(
        &self,
        name: &Name,
        size: usize,
        stack: Option<&Name>,
    ) -> Result<()> {
        for (kind, user, secrets) in self.units_with_secret(name)? {
            if stack.is_some() && stack_of(&self.stack_labels(&user)?) == stack.map(Name::as_str) {
                continue;
            }
            if let Some(all) = self.too_much(&secrets, Some((name, size)))? {
                let kind = kind.as_str();
                let title = format!(
                    "With it the secrets of the {kind} {user} and their names would be {all} bytes together"
                );
                return Err(too_large(title).about(name));
            }
        }
        Ok(())
    }

    /// A secret and all that are given to a unit with it.
    fn companions(&self, name: &Name) -> Result<BTreeSet<Name>> {
        let units = self.units_with_secret(name)?;
        let others = units.into_iter().flat_map(|(.., secrets)| secrets).map(|one| one.name);
        Ok(others.chain([name.clone()]).collect())
    }

    /// How many bytes secrets and their names are, where systemd doesn't give so many to one unit. `new` is the size that the value of one
    /// of them is to have.
    fn too_much(&self, all: &[Credential], new: Option<(&Name, usize)>) -> Result<Option<usize>> {
        let sum = |size: &dyn Fn(&Name) -> Result<usize>| {
            let one = |one: &Credential| {
                let new = new.filter(|(name, _)| **name == one.name);
                Ok(one.target.len() + new.map_or_else(|| size(&one.name), |(_, size)| Ok(size))?)
            };
            all.iter().map(one).sum::<Result<usize>>()
        };
        // Encrypted each is longer; and it takes its time to decrypt them.
        if sum(&|name| Ok(self.encrypted(name)?.len()))? <= MOST_OF_A_UNIT {
            return Ok(None);
        }
        let size = sum(&|name| {
            let value = credentials::decrypt(name.as_str(), &self.encrypted(name)?);
            Ok(value.map_err(|error| undecryptable(name, error))?.len())
        })?;
        Ok(Some(size).filter(|size| *size > MOST_OF_A_UNIT))
    }

    /// A secret as it lies on the disk.
    fn encrypted(&self, name: &Name) -> Result<Vec<u8>> {
        match files::read_bounded(&self.secret_path(name), 4 * MAX) {
            Err(e) if e.is_not_found() => Err(self.no_secret(name)),
            read => Ok(read?),
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
            let credential = self.encrypted(&secret.name)?;
            let value = credentials::decrypt(secret.name.as_str(), &credential)
                .map_err(|error| undecryptable(&secret.name, error).about(&spec.name))?;
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

fn too_large(title: String) -> Error {
    Error::new(ErrorKind::Resource, title).hinted(format!(
        "systemd gives a service or task {MOST_OF_A_UNIT} at most, but a container may have more"
    ))
}

fn undecryptable(name: &Name, error: command::Error) -> Error {
    let title = format!("The secret {name} can't be decrypted on this host");
    Error::new(ErrorKind::General, title).about(name).because(error)
}
