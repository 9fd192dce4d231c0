//! What workloads use: networks, volumes, secrets, files of configuration; and how images are built.

use super::container::Hook;
use crate::words::text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use volt_model::container::{ExtraHost, Ulimit};
use volt_model::image::ImageRef;
use volt_model::size::Bytes;

/// Whether a thing is the stack's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum External {
    /// It is made and removed with the stack.
    #[default]
    No,
    /// It is there already, and stays.
    Yes,
}

/// A network of the stack (Compose Specification, 06-networks).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// What it is called on the host, where that does not follow from the stack.
    pub name: Option<String>,
    /// Whether it is the stack's own.
    pub external: External,
    /// Whether its members reach nothing outside.
    pub internal: bool,
    /// Whether it has IPv6 addresses.
    pub enable_ipv6: Option<bool>,
    /// Its subnets.
    pub pools: Vec<Pool>,
    /// The largest packet.
    pub mtu: Option<u32>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The subnet.
    #[serde(with = "text")]
    pub subnet: ipnet::IpNet,
    /// The host's own address in it.
    pub gateway: Option<std::net::IpAddr>,
}

/// A volume of the stack (Compose Specification, 07-volumes).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Volume {
    /// What it is called on the host, where that does not follow from the stack.
    pub name: Option<String>,
    /// Whether it is the stack's own.
    pub external: External,
    /// `local`, `tmpfs` or `nfs`; `local` where nothing is said.
    pub driver: Option<String>,
    /// What the driver is told.
    pub driver_opts: BTreeMap<String, String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
}

/// A secret or a file of configuration (Compose Specification, 08-configs and 09-secrets).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// What it is called on the host, where that does not follow from the stack.
    #[serde(default)]
    pub name: Option<String>,
    /// Where its content comes from.
    pub source: AssetSource,
    /// Free words of the user.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl Asset {
    /// Whether it is the stack's own.
    #[must_use]
    pub fn external(&self) -> External {
        if self.source == AssetSource::External { External::Yes } else { External::No }
    }
}

/// Where the content of a secret or a file of configuration comes from. What is secret is in here only as far as the file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssetSource {
    /// A file of the host, by absolute path.
    File(String),
    /// The variable of this name, when the stack is brought up.
    Environment(String),
    /// This text.
    Content(String),
    /// It is there already.
    External,
}

/// How an image is built (Compose Specification, build).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// The folder, an absolute path or a URL.
    pub context: String,
    /// The Containerfile, from the folder.
    pub dockerfile: Option<String>,
    /// Its text, in place of a file.
    pub dockerfile_inline: Option<String>,
    /// Arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Further folders by name.
    pub additional_contexts: BTreeMap<String, String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Further names of the image.
    pub tags: Vec<ImageRef>,
    /// The network of its commands.
    pub network: Option<String>,
    /// Whether nothing is taken from earlier builds.
    pub no_cache: bool,
    /// Whether the images that it begins with are pulled anew.
    pub pull: bool,
    /// The platforms that it is built for.
    pub platforms: Vec<String>,
    /// The size of `/dev/shm` of its commands.
    pub shm_size: Option<Bytes>,
    /// Secrets of the stack that its commands may read: each by its key, and the id that `RUN --mount=type=secret` says.
    pub secrets: Vec<(String, String)>,
    /// Further hosts that its commands know.
    pub extra_hosts: Vec<ExtraHost>,
    /// Limits of its commands.
    pub ulimits: Vec<Ulimit>,
}

/// What is done when a file of the source is changed (Compose Specification, develop).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// The file or folder, an absolute path.
    pub path: String,
    /// What is done.
    pub action: WatchAction,
    /// Where it is in the container.
    #[serde(default)]
    pub target: Option<String>,
    /// What is not looked at.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// What alone is looked at.
    #[serde(default)]
    pub include: Vec<String>,
    /// What is run in the container when files were copied.
    #[serde(default)]
    pub exec: Option<Hook>,
    /// Whether what differs is copied at the beginning.
    #[serde(default)]
    pub initial_sync: bool,
}

/// What is done when a file is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchAction {
    /// It is copied.
    Sync,
    /// The image is built again and the container replaced.
    Rebuild,
    /// The container is started again.
    Restart,
    /// It is copied and the container started again.
    SyncRestart,
    /// It is copied and a command run in the container.
    SyncExec,
}

impl WatchAction {
    /// All there are, with their words.
    pub const ALL: [(&str, Self); 5] = [
        ("sync", Self::Sync),
        ("rebuild", Self::Rebuild),
        ("restart", Self::Restart),
        ("sync+restart", Self::SyncRestart),
        ("sync+exec", Self::SyncExec),
    ];

    /// Whether files are copied.
    #[must_use]
    pub fn copies(self) -> bool {
        matches!(self, Self::Sync | Self::SyncRestart | Self::SyncExec)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }
}
