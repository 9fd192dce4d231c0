//! Snapshots on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A snapshot of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// What it is called, among the snapshots of its container.
    pub name: String,
    /// The container.
    pub container: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The image that the container began with, as it was named.
    pub image: String,
    /// What the container was, as a tree in the store: `blake3:` and a digest.
    pub tree: String,
    /// Files, folders and all else in it.
    pub entries: u64,
    /// Bytes of the files that the container had written.
    pub size: u64,
    /// Of these, what was not in the store before.
    pub new: u64,
    /// What was left out, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// What to call a new snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotCreate {
    /// What to call it; by the time where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// Which snapshots.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotList {
    /// Those of one container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// Which snapshot of which container.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotName {
    /// The container.
    pub name: String,
    /// The snapshot.
    pub snapshot: String,
}

/// What to compare a snapshot with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotDiff {
    /// The container.
    pub name: String,
    /// The snapshot.
    pub snapshot: String,
    /// Another one of the same container; the container as it is where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
