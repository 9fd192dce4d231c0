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
    /// Bytes in it; not of one that lies on a server, in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The containers that mount it.
    pub used_by: Vec<String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Who keeps the content: `local`, `tmpfs` or `nfs`.
    #[serde(default)]
    pub driver: String,
    /// What the driver is told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// What volume to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeCreate {
    /// What to call it.
    pub name: String,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Who keeps the content: `local`, `tmpfs` or `nfs`; `local` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What the driver is told: `type`, `device` and `o` as `mount` has them, `size` of a tmpfs, `addr` of an NFS server.
    pub options: BTreeMap<String, String>,
}
