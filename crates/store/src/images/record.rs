//! What is written down of an image.

use crate::error::{Error, Result};
use crate::tree::Neutralised;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use volt_host::files;
use volt_model::image::ImageRef;

/// More than a record with all its neutralised entries takes, in bytes.
const RECORD_LIMIT: usize = 8 << 20;

/// Which tree an image or container stands on. Not for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TreeId(String);

impl TreeId {
    /// An id that nobody has yet.
    pub(super) fn fresh() -> Self {
        // The standard library keys its hash maps with the kernel's random bytes.
        let random = || std::hash::RandomState::new().build_hasher().finish();
        Self(format!("{:016x}{:016x}", random(), random()))
    }

    /// As it stands in configs and on disk: 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TreeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 32 && text.bytes().all(hex) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Invalid(format!(
            "`{}` is no tree id",
            text.chars().take(40).collect::<String>()
        )))
    }
}

impl<'de> Deserialize<'de> for TreeId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An image: a name and what it stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its name.
    pub name: ImageRef,
    /// The tree; several names may share one.
    pub tree: TreeId,
    /// When the tree was made.
    pub created: jiff::Timestamp,
    /// What the tree takes on disk, in bytes.
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
    pub source: String,
    /// How to run it.
    #[serde(default)]
    pub config: ImageConfig,
    /// What of the input the tree does not have, or has otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neutralised: Vec<Neutralised>,
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
    /// Whether it can boot: it has an init of its own. Told from the tree, whatever the caller says.
    pub boot: bool,
}

/// Reads a record; nothing where the file is missing.
pub(super) fn read(path: &Path) -> Result<Option<Image>> {
    match files::read_bounded(path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Corrupt { path: path.to_owned(), reason: error.to_string() }),
    }
}
