//! Containers on the wire.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a container is to be. Texts have the forms of the command line (`512M`, `data:/var/lib/x:ro`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerCreate {
    /// What to call it; made from the image's name where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The image.
    pub image: String,
    /// The command and its arguments, in place of the image's.
    pub command: Vec<String>,
    /// The entrypoint, in place of the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// `NAME[:GROUP]` or numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the command starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The host name inside; the container's name where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// A terminal for the command.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin: bool,
    /// Remove the container when it ends.
    pub auto_remove: bool,
    /// Boot the image's own init; by the image where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot: Option<bool>,
    /// `none`, `host`, `container:NAME`, or networks as `NAME[:ip=ADDRESS][:mac=ADDRESS][:alias=NAME]…`; by the configuration where nothing is said.
    pub networks: Vec<String>,
    /// `[HOST_IP:][HOST:]CONTAINER[/tcp|udp]`, each a port or a range.
    pub publish: Vec<String>,
    /// Open these ports even where the host's own firewall closes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expose: bool,
    /// `SOURCE:TARGET[:ro]`.
    pub volumes: Vec<String>,
    /// `TARGET[:size=SIZE]`.
    pub tmpfs: Vec<String>,
    /// `NAME[,target=PATH][,uid=N][,gid=N][,mode=OCTAL]`; where no target is said it is `/run/secrets/NAME`.
    pub secrets: Vec<String>,
    /// A root that can't be written to.
    pub read_only: bool,
    /// Resource limits.
    pub limits: Limits,
    /// Capabilities to add.
    pub cap_add: Vec<String>,
    /// Capabilities to take away.
    pub cap_drop: Vec<String>,
    /// `default` or `unconfined`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp: Option<String>,
    /// `no`, `on-failure[:N]`, `always` or `unless-stopped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// How it is found out whether it is well, over what the image says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<super::HealthCheck>,
    /// The signal that asks the command to end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Seconds between that signal and the kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// `NAME=SOFT[:HARD]`.
    pub ulimits: Vec<String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// `systemd` or `proot`; what the host can do where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// Resource limits, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, such as `512M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Swap beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<String>,
    /// CPU time in per cent of one CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Share of the CPU, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u64>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Share of I/O, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io_weight: Option<u64>,
    /// `DEVICE:RATE` in bytes read a second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_read_bps: Vec<String>,
    /// `DEVICE:RATE` in bytes written a second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_write_bps: Vec<String>,
    /// `DEVICE:RATE` in reads a second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_read_iops: Vec<String>,
    /// `DEVICE:RATE` in writes a second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub io_write_iops: Vec<String>,
    /// Bits received and sent a second on each of its networks, such as `100mbit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
}

/// A change of limits. What is left out stays; `null`, and an empty list, take a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsChange {
    /// Memory, such as `512M`.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory: Option<Option<String>>,
    /// Swap beside it.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub memory_swap: Option<Option<String>>,
    /// CPU time in per cent of one CPU.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub cpu: Option<Option<u32>>,
    /// Share of the CPU, 1 to 10000.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub cpu_weight: Option<Option<u64>>,
    /// Processes and threads.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub pids: Option<Option<u64>>,
    /// Share of I/O, 1 to 10000.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u64>")]
    pub io_weight: Option<Option<u64>>,
    /// `DEVICE:RATE` in bytes read a second.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub io_read_bps: Option<Option<Vec<String>>>,
    /// `DEVICE:RATE` in bytes written a second.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub io_write_bps: Option<Option<Vec<String>>>,
    /// `DEVICE:RATE` in reads a second.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub io_read_iops: Option<Option<Vec<String>>>,
    /// `DEVICE:RATE` in writes a second.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<String>>")]
    pub io_write_iops: Option<Option<Vec<String>>>,
    /// Bits received and sent a second on each of its networks, such as `100mbit`.
    #[serde(deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub rate: Option<Option<String>>,
}

/// Tells what is `null` from what is left out.
fn said<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A container as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// What it is called.
    pub name: String,
    /// `running`, `stopped`, `failed`, …
    pub state: String,
    /// The image, as it was named.
    pub image: String,
    /// `systemd` or `proot`.
    pub backend: String,
    /// `app` or `boot`.
    pub mode: String,
    /// The command; empty in boot mode.
    pub command: Vec<String>,
    /// Its unit; none where proot runs it without systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The process id of its first process on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was created, RFC 3339.
    pub created: String,
    /// When it last began to run, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// `starting`, `healthy` or `unhealthy`, while it runs and that is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<String>,
    /// How that is found out, as it was created; see `health_status` for what was changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<super::HealthCheck>,
    /// How its last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// How often systemd has started it again since it was last started by hand.
    #[serde(default)]
    pub restarts: u32,
    /// `none`, `host`, `container:NAME`, or the networks that it is connected to, with commas between them.
    pub network: String,
    /// What it has of them at this moment; only of one that is looked at alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ContainerConnection>,
    /// The host's ports that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<String>,
    /// Whether these are open even where the host's own firewall closes them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expose: bool,
    /// The host name inside.
    pub hostname: String,
    /// Who runs the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the command starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// The environment; only for members of the group `volt` and root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// Whether the command has a terminal.
    pub tty: bool,
    /// Whether its standard input is open.
    pub stdin: bool,
    /// Whether it is removed when it ends.
    pub auto_remove: bool,
    /// Whether its root can't be written to.
    pub read_only: bool,
    /// Its mounts.
    pub volumes: Vec<String>,
    /// Its memory file systems.
    pub tmpfs: Vec<String>,
    /// The secrets that it is given: name, target, owner and mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// Limits that this host can't enforce, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unenforced: Vec<String>,
    /// The capabilities its command may have.
    pub capabilities: Vec<String>,
    /// The syscall filter.
    pub seccomp: String,
    /// The host id of its id 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_base: Option<u32>,
    /// When it is started again.
    pub restart: String,
    /// The signal that asks the command to end.
    pub stop_signal: String,
    /// Seconds between that signal and the kill.
    pub stop_timeout: u32,
    /// Limits of its processes.
    pub ulimits: Vec<String>,
    /// Free words of the user.
    pub labels: BTreeMap<String, String>,
    /// What its snapshots are called; only of one that is looked at alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
}

/// What a container has of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerConnection {
    /// The network.
    pub network: String,
    /// What the interface is called inside.
    pub interface: String,
    /// The address.
    pub ip: String,
    /// The IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// The hardware address.
    pub mac: String,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// The command's exit code, 128+n when signal n ended it.
    pub code: i32,
    /// Why, in plain words.
    pub reason: String,
    /// When, RFC 3339.
    pub finished: String,
}

/// Which container, and how to stop it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerStop {
    /// What it is called.
    pub name: String,
    /// Seconds to wait before it is killed, in place of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// Which container, and which signal.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerKill {
    /// What it is called.
    pub name: String,
    /// The signal; `KILL` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

/// Which container, and whether it may be running.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerDelete {
    /// What it is called.
    pub name: String,
    /// Stop it first if it runs.
    pub force: bool,
}

/// Which containers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerList {
    /// Those that don't run too.
    pub all: bool,
}

/// Which container gets which name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerRename {
    /// What it is called.
    pub name: String,
    /// What it is to be called.
    pub to: String,
}

/// What a copy of a container is to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerClone {
    /// What to call it.
    pub to: String,
    /// What the container was at this snapshot of it; what it is where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// What image to make of a container, and how that is run: where nothing is said, as the image that the container began with.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerCommit {
    /// What to call it.
    pub image: String,
    /// What runs first; without a command beside it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// What runs, or the entrypoint's arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// `NAME=VALUE`, over those that the image has.
    pub env: Vec<String>,
    /// Who runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Free words, over those that the image has.
    pub labels: BTreeMap<String, String>,
    /// What to say of it, where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Replace the image of that name.
    pub force: bool,
}

/// What to change of a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerUpdate {
    /// Limits to change or, by `null`, to take away; the others stay.
    pub limits: LimitsChange,
    /// The restart policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
}

/// A path in a container.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerPath {
    /// The container.
    pub name: String,
    /// An absolute path in it. Copies travel as tar archives: what is copied out is named by its last part; what is copied
    /// in is unpacked into this folder.
    pub path: String,
}

/// What to run in a running container.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerExec {
    /// The container.
    pub name: String,
    /// The command and its arguments, as JSON in the query: `["ls","-l"]`; a login shell where it is empty.
    pub command: String,
    /// `NAME=VALUE`, as a JSON list in the query.
    pub env: String,
    /// Who runs it; the container's user where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// A terminal for it.
    pub tty: bool,
    /// Keep its standard input open.
    pub stdin: bool,
}

/// Which container to connect to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerAttach {
    /// The container.
    pub name: String,
    /// Start it, connected from the first byte on.
    pub start: bool,
}

/// How a container that was waited for ended.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ContainerWaited {
    /// What it is called.
    pub name: String,
    /// How it ended.
    pub exit: Exit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_nothing() {
        let text = r#"{"limits":{"memory":null,"cpu":50}}"#;
        let update: ContainerUpdate = serde_json::from_str(text).unwrap();
        assert_eq!(update.limits.memory, Some(None));
        assert_eq!(update.limits.cpu, Some(Some(50)));
        assert_eq!(update.limits.pids, None);
        assert_eq!(serde_json::to_string(&update).unwrap(), text);
    }
}
