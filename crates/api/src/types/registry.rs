//! Registries on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An account to be tried.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistryLogin {
    /// The registry.
    pub name: String,
    /// The name of the account.
    pub user: String,
    /// Its password. It is kept nowhere.
    pub password: String,
}

impl std::fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistryLogin")
    }
}

/// An account that a registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryKnown {
    /// The registry.
    pub name: String,
    /// The name of the account.
    pub user: String,
    /// Whether the registry looked at it: one that lets everybody in does not.
    pub checked: bool,
}
