//! A container of a stack, and what is said of it (Compose Specification, 05-services).

use super::resources::{Build, Watch};
use crate::words::{maybe_text, span_serde};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use volt_model::container::{CpuSet, ExtraHost, Seccomp, Ulimit};
use volt_model::image::ImageRef;
use volt_model::limits::Limits;
use volt_model::mount::Tmpfs;
use volt_model::name::Name;
use volt_model::net::{Mac, Publish};
use volt_model::restart::Restart;
use volt_model::size::Bytes;

/// What keeps it apart from the host: the same file runs in any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Namespaces, under systemd-nspawn.
    #[default]
    Container,
    /// proot, without root.
    Proot,
    /// A virtual machine.
    Vm,
    /// A small virtual machine.
    MicroVm,
}

impl Isolation {
    /// All there are, with their words; `default` and `process` are what Compose files have.
    pub const ALL: [(&str, Self); 4] = [
        ("container", Self::Container),
        ("proot", Self::Proot),
        ("vm", Self::Vm),
        ("microvm", Self::MicroVm),
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(word, _)| word)
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// When it is not there.
    #[default]
    Missing,
    /// Before each start.
    Always,
    /// Never.
    Never,
    /// It is built.
    Build,
    /// When what is there is older than so many seconds.
    Every(u64),
}

/// A container: what is said of it. What is not said is the image's or Volt's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Container {
    /// What keeps it apart from the host.
    pub isolation: Isolation,
    /// Its image; one that is built may have none.
    pub image: Option<ImageRef>,
    /// How the image is built.
    pub build: Option<Build>,
    /// When the image is pulled.
    pub pull: Pull,
    /// The platform of the image, as `OS/ARCH[/VARIANT]`.
    pub platform: Option<String>,
    /// What it is called on the host, where that does not follow from the stack.
    pub container_name: Option<Name>,
    /// In place of the image's command; empty for none.
    pub command: Option<Vec<String>>,
    /// In place of the image's entrypoint; empty for none.
    pub entrypoint: Option<Vec<String>>,
    /// Whether the image's own init is booted; by the image where nothing is said.
    pub boot: Option<bool>,
    /// Variables.
    pub environment: BTreeMap<String, String>,
    /// `NAME[:GROUP]` or numbers.
    pub user: Option<String>,
    /// Further groups of the user.
    pub group_add: Vec<String>,
    /// Where the command starts.
    pub working_dir: Option<String>,
    /// Its host name.
    pub hostname: Option<String>,
    /// The domain behind it.
    pub domainname: Option<String>,
    /// Whether the command has a terminal.
    pub tty: bool,
    /// Whether standard input stays open.
    pub stdin_open: bool,
    /// Whether the root can't be written to.
    pub read_only: bool,
    /// Whose network it has.
    pub network: NetworkMode,
    /// Ports of the host that lead to it.
    pub ports: Vec<Publish>,
    /// Ports that it listens on: said, not done.
    pub expose: Vec<String>,
    /// Further lines of its `hosts`.
    pub extra_hosts: Vec<ExtraHost>,
    /// Servers of names in place of the network's.
    pub dns: Vec<IpAddr>,
    /// Options of its `resolv.conf`.
    pub dns_opt: Vec<String>,
    /// Domains that names are looked up in.
    pub dns_search: Vec<String>,
    /// What is mounted.
    pub mounts: Vec<Mount>,
    /// Services whose mounts it has too, where it has none of its own, and whether it can't write to them.
    pub volumes_from: BTreeMap<String, bool>,
    /// Further names under which it asks for other services, with their keys; checking a stack makes aliases of them.
    pub links: BTreeMap<String, String>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// Secrets that it may read.
    pub secrets: Vec<Grant>,
    /// Files of configuration that it has.
    pub configs: Vec<Grant>,
    /// Devices of the host that it may use.
    pub devices: Vec<Device>,
    /// The size of `/dev/shm`.
    pub shm_size: Option<Bytes>,
    /// What it may use.
    pub limits: Limits,
    /// Memory that is kept for it.
    pub memory_reserved: Option<Bytes>,
    /// The CPUs that it may run on.
    pub cpuset: Option<CpuSet>,
    /// How likely the kernel kills it, from -1000 to 1000.
    pub oom_score_adj: Option<i16>,
    /// Capabilities added to the default.
    pub cap_add: Vec<String>,
    /// Capabilities taken from the default.
    pub cap_drop: Vec<String>,
    /// The syscall filter.
    pub seccomp: Seccomp,
    /// Kernel parameters of its own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// Limits of the process.
    pub ulimits: Vec<Ulimit>,
    /// When it is started again.
    pub restart: Restart,
    /// How long is waited before that.
    #[serde(with = "span_serde")]
    pub restart_delay: Option<Duration>,
    /// The signal that asks it to end.
    pub stop_signal: Option<u8>,
    /// How long it has to do so.
    #[serde(with = "span_serde")]
    pub stop_grace_period: Option<Duration>,
    /// How its health is known.
    pub health: Option<Health>,
    /// Where its log goes.
    pub logging: Option<Logging>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// Free words of the user about the container itself.
    pub annotations: BTreeMap<String, String>,
    /// What is run in it when it was started.
    pub post_start: Vec<Hook>,
    /// What is run in it before it is stopped.
    pub pre_stop: Vec<Hook>,
    /// What is done when a file of its source is changed.
    pub watch: Vec<Watch>,
    /// Whether a new one is started before or after the old one is stopped.
    pub update_order: UpdateOrder,
}

/// Whose network a container has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own, connected to these networks of the stack.
    Networks(BTreeMap<String, Connection>),
    /// Its own, connected to nothing.
    None,
    /// The host's.
    Host,
    /// That of another service.
    Service(String),
    /// That of a container outside of the stack.
    Container(Name),
}

impl Default for NetworkMode {
    fn default() -> Self {
        Self::Networks(BTreeMap::from([("default".to_owned(), Connection::default())]))
    }
}

impl NetworkMode {
    /// The networks of the stack that it is connected to.
    pub fn connections(&self) -> impl Iterator<Item = (&String, &Connection)> {
        let map = if let Self::Networks(map) = self { Some(map) } else { None };
        map.into_iter().flatten()
    }
}

/// How it is connected to one network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// Further names in this network. They may have an underscore, which a [`Name`] may not.
    pub aliases: Vec<String>,
    /// The address that is wanted.
    pub ipv4_address: Option<Ipv4Addr>,
    /// The IPv6 address that is wanted.
    pub ipv6_address: Option<Ipv6Addr>,
    /// The hardware address that is wanted.
    #[serde(with = "maybe_text")]
    pub mac_address: Option<Mac>,
    /// The network with the largest number is the way out.
    pub gw_priority: i32,
}

/// What is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// What.
    pub kind: MountKind,
    /// Where, an absolute path.
    pub target: String,
    /// Whether the container can't write to it.
    pub read_only: bool,
}

/// Where a mount's content comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A volume of the stack, by key, or a folder in it.
    Volume {
        /// The key.
        source: String,
        /// A path in the volume.
        subpath: Option<String>,
        /// Whether it begins empty, not with what the image has there.
        nocopy: bool,
    },
    /// A volume without a name, which goes with the container.
    Anonymous,
    /// A path of the host.
    Bind {
        /// The path.
        source: String,
        /// Whether a folder is made there where nothing is.
        create: bool,
    },
}

/// A secret or a file of configuration that a container has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its key in the stack.
    pub source: String,
    /// The absolute path of the file.
    pub target: String,
    /// Who owns it.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Who may read it.
    pub mode: Option<u32>,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The device node.
    pub source: String,
    /// Where it is in the container.
    pub target: String,
    /// What may be done: `r`, `w`, `m`.
    pub permissions: String,
}

/// How the health of a workload is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// What is tried; the image's own where nothing is said.
    pub check: Option<Check>,
    /// How often.
    #[serde(with = "span_serde")]
    pub interval: Option<Duration>,
    /// How long one may take.
    #[serde(with = "span_serde")]
    pub timeout: Option<Duration>,
    /// How many must fail in a row.
    pub retries: Option<u32>,
    /// For how long failures don't count at the beginning.
    #[serde(with = "span_serde")]
    pub start_period: Option<Duration>,
    /// How often it is tried in that time.
    #[serde(with = "span_serde")]
    pub start_interval: Option<Duration>,
    /// What is done with what is not healthy.
    pub on_unhealthy: OnUnhealthy,
}

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Nothing, not even what the image says.
    None,
    /// A command in the container.
    Exec(Vec<String>),
    /// A line for the container's shell.
    Shell(String),
    /// An HTTP request: `PORT/PATH` or a URL; 200 to 399 is good.
    Http(String),
    /// A connection: `PORT` or `HOST:PORT`.
    Tcp(String),
}

/// What is done with what is not healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnhealthy {
    /// Nothing but saying so.
    #[default]
    None,
    /// It is started again.
    Restart,
    /// It is stopped.
    Stop,
}

/// Where a log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// The driver's name.
    pub driver: Option<String>,
    /// What the driver is told.
    pub options: BTreeMap<String, String>,
}

/// A command that is run in a container at a turn of its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hook {
    /// The command.
    pub command: Vec<String>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where.
    pub working_dir: Option<String>,
    /// Further variables.
    pub environment: BTreeMap<String, String>,
}

/// Which comes first when one is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old one is stopped first.
    #[default]
    StopFirst,
    /// The new one is started first.
    StartFirst,
}
