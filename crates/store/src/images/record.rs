//! What is written down of an image.

use crate::digest::Digest;
use crate::tree::Neutralised;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use volt_model::image::ImageRef;
use volt_model::registry::Remote;

/// An image: a name and what it stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// [`Image::VERSION`].
    pub version: u32,
    /// Its name.
    pub name: ImageRef,
    /// The tree in the store; several names may share one.
    pub tree: Digest,
    /// When it came to be an image.
    pub created: jiff::Timestamp,
    /// The sizes of its files together, in bytes; what has several names counts once.
    pub size: u64,
    /// Files, folders and all else in the tree, its root included.
    pub entries: u64,
    /// The processor its programs are for, as OCI names it (`amd64`, `arm64`), where it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The system in words, from its os-release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Where it came from, in words: `debootstrap trixie (minbase)`, `tar archive`, `folder`.
    #[serde(rename = "origin")]
    pub source: String,
    /// How to run it.
    #[serde(default)]
    pub config: ImageConfig,
    /// What of the input the tree does not have, or has otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neutralised: Vec<Neutralised>,
    /// What it was pulled as, byte for byte: its manifest first, its config, its layers. None where that is not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<KeptBlob>,
    /// The registry that it was pulled from, with the digest of its manifest there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Remote>,
}

/// A blob of a registry that is kept as it is: an object like any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBlob {
    /// What registries call it: `sha256:` and hex digits.
    pub digest: String,
    /// The object.
    pub object: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Image {
    /// The version of the record.
    pub const VERSION: u32 = 1;
}

/// How an image wants to be run. Fields are as OCI's image config means them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// What follows the entrypoint unless the caller says otherwise.
    pub cmd: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// `USER[:GROUP]`, names or numbers.
    pub user: Option<String>,
    /// The working directory.
    pub workdir: Option<String>,
    /// The signal that asks it to stop, such as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Paths that are to be volumes.
    pub volumes: Vec<String>,
    /// Ports that it listens on: `80/tcp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Free words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How to find out whether it is well, as OCI writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<serde_json::Value>,
    /// Whether it can boot: it has an init of its own. Told from the tree, whatever the caller says.
    pub boot: bool,
}
