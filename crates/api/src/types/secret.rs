//! Secrets on the wire, without what is secret of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Secret {
    /// What it is called.
    pub name: String,
    /// When it was made, or given another value, RFC 3339.
    pub created: String,
    /// What it is encrypted with: `host+tpm2`, `tpm2`, `host` (a key on the host's disk), or `unknown`.
    pub protection: String,
    /// The containers that are to have it.
    pub used_by: Vec<String>,
}

/// What to call a new secret; its value is the body.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretCreate {
    /// What to call it.
    pub name: String,
    /// In the place of one that there is.
    pub replace: bool,
}

/// What is secret, in base64. Nothing that prints a request shows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
