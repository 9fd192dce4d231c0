//! Volumes on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// What it is called.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Where its content lies on the host.
    pub path: String,
    /// Bytes in it; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The containers that mount it.
    pub used_by: Vec<String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// What volume to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeCreate {
    /// What to call it.
    pub name: String,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}
