//! A service: a plain unit of systemd that Volt writes ([`unit`]), in one of a few sandboxes ([`profile`]).

pub mod profile;
pub mod unit;

pub use profile::Profile;

use crate::health::Check;
use crate::limits::{Limits, LimitsError};
use crate::name::Name;
use crate::restart::Restart;
use crate::secret::{Credential, CredentialError};
use crate::unitfile::{self, UnitFileError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A program on the host and how it is run: what services and tasks have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The command with its arguments.
    pub exec: Vec<String>,
    /// The sandbox.
    pub profile: Profile,
    /// Who runs it: `USER[:GROUP]`; where nothing is said a user of its own, or root without a sandbox.
    pub user: Option<String>,
    /// Where it starts.
    pub workdir: Option<String>,
    /// Folders and files of the host that it may write to.
    pub writable: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// Secrets that it finds in `$CREDENTIALS_DIRECTORY`; in a container in `/run/secrets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Credential>,
}

/// Why a service or task can't be so.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProgramError {
    /// Something that can't stand in a unit file.
    #[error(transparent)]
    Text(#[from] UnitFileError),
    /// A limit that leaves nothing to run in.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A rate, which networks of containers have.
    #[error("it has the host's network, which has no rate")]
    Rate,
    /// A secret that can't be called so.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Two secrets in one place.
    #[error("two of its secrets are called `{0}`")]
    Twice(String),
}

impl Program {
    /// Checks all of it.
    ///
    /// # Errors
    /// When systemd would read something else than what is meant, or could not run it.
    pub fn validate(&self) -> Result<(), ProgramError> {
        unitfile::check_command(&self.exec)?;
        self.user.as_deref().map_or(Ok(()), unitfile::check_user)?;
        self.workdir.as_deref().map_or(Ok(()), unitfile::check_path)?;
        self.writable.iter().try_for_each(|path| unitfile::check_path(path))?;
        self.limits.validate()?;
        if self.limits.rate.is_some() {
            return Err(ProgramError::Rate);
        }
        self.validate_secrets()
    }

    /// Checks what its secrets are called.
    ///
    /// # Errors
    /// For what can't be a name of one, or is that of two.
    pub(crate) fn validate_secrets(&self) -> Result<(), ProgramError> {
        let mut known = BTreeSet::new();
        for secret in &self.secrets {
            secret.validate()?;
            if !known.insert(&secret.target) {
                return Err(ProgramError::Twice(secret.target.clone()));
            }
        }
        Ok(())
    }
}

/// Everything that was asked for of a service, checked: `services/NAME/config.json`. Values of environment variables are not in it:
/// they lie in `environment`, a file for systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The format of this file: 1.
    pub version: u32,
    /// What it is called.
    pub name: Name,
    /// What it is for.
    pub description: Option<String>,
    /// What is run.
    pub program: Program,
    /// When it is started again.
    pub restart: Restart,
    /// How it is found out whether it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Check>,
    /// Seconds between the signal that asks it to end and the kill.
    pub stop_timeout: u32,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// When it was created.
    pub created: Timestamp,
}

impl Spec {
    /// The version of the file that this Volt writes.
    pub const VERSION: u32 = 1;
    /// Seconds to stop in where nothing is said.
    pub const STOP_TIMEOUT: u32 = 10;

    /// The name of its unit.
    #[must_use]
    pub fn unit(&self) -> String {
        unit::name(&self.name)
    }
}

/// Whether a service may be called so: what begins with `volt-` is a unit of Volt's own.
#[must_use]
pub fn is_reserved(name: &Name) -> bool {
    name.as_str().starts_with("volt-") || name.as_str() == "volt"
}
