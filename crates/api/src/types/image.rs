//! Images on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// What it is called, with its tag.
    pub name: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Its tree in the store: `blake3:` and a digest. Several names may stand for one.
    pub tree: String,
    /// Bytes of its files. What other images have too is stored once.
    pub size: u64,
    /// Files, folders and all else in it.
    pub entries: u64,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// The operating system, as it names itself.
    pub os: String,
    /// Where it came from.
    pub source: String,
    /// What runs first.
    pub entrypoint: Vec<String>,
    /// What runs, or the entrypoint's arguments.
    pub command: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The signal that asks it to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Paths that are to be volumes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// Ports that it listens on: `80/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Free words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How to find out whether it is well, as OCI writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<serde_json::Value>,
    /// Whether it boots an init of its own.
    pub boot: bool,
    /// Entries that were not taken over, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neutralised: Vec<String>,
    /// The containers that use it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
    /// Snapshots of containers that used it, as `CONTAINER/NAME`; only of one that is looked at alone. They are whole without it,
    /// and keep what they share with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
}

/// What to pull.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImagePull {
    /// The image: `debian`, `debian:bookworm`, `debian-minimal`, or one of a registry.
    pub image: String,
    /// For what it is to be, of those that a registry has: `linux/arm64`; the host's own where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Who asks for it at the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<RegistryAccount>,
    /// The Debian mirror to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// debootstrap's variant, such as `minbase`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Packages to add.
    pub include: Vec<String>,
    /// Pull again although it is there.
    pub force: bool,
}

/// What to push.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImagePush {
    /// The image.
    pub image: String,
    /// What it is to be called in the registry, with the registry's name; as here where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Images for other platforms that go under the same name: an index has them all.
    pub with: Vec<String>,
    /// `gzip` or `zstd`: makes one layer of the image, also where what was pulled is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Who asks for it at the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<RegistryAccount>,
}

/// An image that a registry has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImagePushed {
    /// What it is called there.
    pub name: String,
    /// The digest of its manifest, or of the index.
    pub digest: String,
    /// Bytes of blobs that were sent.
    pub sent: u64,
    /// Bytes of blobs that the registry had.
    pub present: u64,
}

/// An account at a registry: a name and a password, or a token.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistryAccount {
    /// Whose it is: no other registry is shown it.
    pub registry: String,
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
    /// A token that is exchanged for others, in place of both.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identity_token: String,
}

impl std::fmt::Debug for RegistryAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RegistryAccount")
    }
}

/// What to import, and what to call it; the body is the tar archive.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageImport {
    /// What to call it.
    pub image: String,
    /// A file or folder of the daemon's host in place of a body, by absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A tree of the store in place of a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Replace the image of that name.
    pub force: bool,
}

/// What to build, and what to call it; the body is a tar archive of the folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageBuild {
    /// What to call it.
    pub image: String,
    /// The folder on the daemon's host in place of a body, by absolute path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The Containerfile in the folder, by its path there. Without one the folder is the root file system itself, and how the image is
    /// run is what the fields below say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `NAME=VALUE` for each `ARG` of the Containerfile.
    pub build_args: Vec<String>,
    /// The stage of the Containerfile to stop at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The text of the Containerfile, in place of one in the folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containerfile: Option<String>,
    /// `NAME=PATH`: further folders of the daemon's host that the Containerfile copies from.
    pub contexts: Vec<String>,
    /// `ID=PATH`: files of the daemon's host that the Containerfile's commands may read as secrets.
    pub secrets: Vec<String>,
    /// `NAME=ADDRESS`: hosts that its commands know.
    pub hosts: Vec<String>,
    /// `NAME=SOFT:HARD`: limits of its commands.
    pub ulimits: Vec<String>,
    /// The network of its commands: `host`, which is the default, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// What it is built for, `OS/ARCHITECTURE`; refused where that is not the daemon's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What runs first.
    pub entrypoint: Vec<String>,
    /// What runs, or the entrypoint's arguments.
    pub command: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// Who runs it: `NAME[:GROUP]` or numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The signal that asks it to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Paths that are to be volumes.
    pub volumes: Vec<String>,
    /// Ports that it listens on: `80` or `53/udp`.
    pub exposed_ports: Vec<String>,
    /// `KEY=VALUE`.
    pub labels: Vec<String>,
    /// Replace the image of that name.
    pub force: bool,
}

/// Which image.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageName {
    /// Its name.
    pub image: String,
}

/// Which image to write out, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageExport {
    /// Its name.
    pub image: String,
    /// `none`, `gzip`, `xz` (not for `oci` and `docker`) or `zstd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// `rootfs`, `oci` for an OCI layout, or `docker` for what `docker load` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Which image gets which further name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageTag {
    /// Its name.
    pub image: String,
    /// Its further name.
    pub to: String,
}
